import Foundation
import LabFleet
import Testing

/// Hands out places for labs: as many tests as there are places run at the same time, each with its own loopback
/// network, and a test that is marked ``Trait/alone`` runs when no other does.
///
/// A place is passed on with its lab if the test left the lab as it found it (``LabFingerprint``) and another test
/// waits for such a lab. A lab that no test waits for is taken down.
actor LabPlaces {
    /// `LOCKFLIGHT_LABS` sets the number; rollouts mostly wait, so there are more places than processors.
    static let shared = LabPlaces(
        count: ProcessInfo.processInfo.environment["LOCKFLIGHT_LABS"].flatMap(Int.init)
            ?? ProcessInfo.processInfo.activeProcessorCount * 4)

    /// A place where a test may run its lab.
    struct Place: Sendable {
        /// The first three octets of the hosts' addresses.
        var network: String
        /// The lab that an earlier test left there as it found it, with its fingerprint.
        var lab: (Lab, LabFingerprint)?
    }

    private struct Waiter {
        var layout: LabLayout
        var isAlone: Bool
        var place: CheckedContinuation<Place, Never>
    }

    private var free: [Place]
    private let count: Int
    private var waiting: [Waiter] = []
    private var isOneAlone = false

    init(count: Int) {
        self.count = max(1, count)
        free = LabNetworks.take(self.count).reversed().map { Place(network: $0) }
    }

    /// Waits for a place.
    func take(_ layout: LabLayout, alone isAlone: Bool) async -> Place {
        await withCheckedContinuation { continuation in
            waiting.append(Waiter(layout: layout, isAlone: isAlone, place: continuation))
            admit()
        }
    }

    /// Whether a waiting test could use such a lab.
    func isWanted(_ layout: LabLayout) -> Bool { heir(of: layout) != nil }

    /// Passes a place on with the lab that is still up there.
    /// - Returns: false if no test wants it any more; the lab must then be taken down and the place given back.
    func pass(on place: Place, _ layout: LabLayout) -> Bool {
        guard let heir = heir(of: layout) else { return false }
        waiting.remove(at: heir).place.resume(returning: place)
        return true
    }

    /// Gives a place back whose lab is down.
    func giveBack(_ place: Place) {
        free.append(Place(network: place.network))
        isOneAlone = false
        admit()
    }

    private func heir(of layout: LabLayout) -> Int? {
        isOneAlone ? nil : waiting.firstIndex { !$0.isAlone && $0.layout == layout }
    }

    /// Tests that share the machine come first, so tests that need it alone run at the end, one after the other.
    private func admit() {
        while !isOneAlone, !free.isEmpty {
            if let next = waiting.firstIndex(where: { !$0.isAlone }) {
                waiting.remove(at: next).place.resume(returning: free.removeLast())
            } else if free.count == count, let next = waiting.indices.first {
                isOneAlone = true
                waiting.remove(at: next).place.resume(returning: free.removeLast())
            } else {
                return
            }
        }
    }
}

/// Loopback networks in which no other process of this machine has a lab: each is locked for the lifetime of this
/// process, and none has a listener left by a killed test process.
private enum LabNetworks {
    static func take(_ count: Int) -> [String] {
        let folder = FileManager.default.temporaryDirectory.path
        var networks: [String] = []
        let taken = listening()
        for number in 0..<2_000 where networks.count < count {
            let octets = [127, UInt8(80 + number / 250), UInt8(number % 250)]
            if taken.contains(octets) { continue }
            let descriptor = open("\(folder)/lockflight-lab-\(number).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                networks.append(octets.map(String.init).joined(separator: "."))
            } else {
                close(descriptor)
            }
        }
        precondition(networks.count == count, "every network for labs is taken: see \(folder)/lockflight-lab-*.lock")
        return networks
    }

    /// The first three octets of every address with a listener (proc_net_tcp(5)).
    private static func listening() -> Set<[UInt8]> {
        let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
        let listeners = table.split(separator: "\n").map { $0.split(separator: " ") }.filter {
            $0.count > 3 && $0[3] == "0A"
        }
        return Set(
            listeners.compactMap { fields in
                // Hexadecimal, the last octet first.
                UInt32(fields[1].prefix(8), radix: 16).map { address in
                    [0, 8, 16].map { UInt8(truncatingIfNeeded: address >> $0) }
                }
            })
    }
}

/// Runs the test alone after the tests that share the machine, because others would disturb what it measures.
struct AloneTrait: TestTrait, SuiteTrait {
    var isRecursive: Bool { true }
}

extension Trait where Self == AloneTrait {
    static var alone: Self { Self() }
}

extension Test {
    var isAlone: Bool { traits.contains { $0 is AloneTrait } }
}
