import AgentProtocol
import CoordinatorRuntime
import UpgradeDomain

/// Connections that delay, drop, cut and repeat.
final class SimulatedNetwork {
    unowned let world: World
    private var connections: [SimulatedConnection] = []
    private(set) var messages = 0

    init(in world: World) { self.world = world }

    func connect(_ node: CoordinatorNode, to name: HostName) async throws(ContactFailure) -> SimulatedConnection {
        try await node.pass()
        await world.pause(world.delay(2...30))
        try await node.pass()
        guard let host = world.hosts[name] else { throw ContactFailure(.hostUnreachable, "no such host") }
        guard host.isUp, !world.unreachable.contains(name) else {
            if world.checker.hasOpenIntent(on: name) { world.sometimes(.hostDownAtSend) }
            throw ContactFailure(.hostUnreachable, "connection refused")
        }
        let connection = SimulatedConnection(from: node, to: host)
        connections.removeAll { $0.isOver }
        connections.append(connection)
        return connection
    }

    /// Carries one line to a host; faults may occur here.
    func carry(_ bytes: [UInt8], over connection: SimulatedConnection) {
        messages += 1
        if let start = SimulatedNetwork.start(in: bytes), connection.node.epoch == world.highestEpoch {
            world.checker.sent(start)
        }
        switch world.faults.strike(.message(messages)) {
        case .cut(let late)?:
            // The sent bytes are in a buffer somewhere and may arrive long after everyone has given up.
            connection.deliver(bytes, after: late)
            connection.cut("the connection was reset")
            world.sometimes(.connectionCut)
        case .blackhole(let milliseconds)?:
            connection.isMute = true
            world.time.after(milliseconds) { connection.cut("no answer from the peer") }
        case .duplicate(let late)?:
            connection.deliver(bytes, after: world.delay(1...40))
            world.replay(bytes, to: connection.host, as: connection.node, after: late)
        case let other:
            world.apply(other, by: connection.node)
            connection.deliver(bytes, after: world.delay(1...40))
        }
    }

    /// The start request in a line; nil for any other line.
    static func start(in bytes: [UInt8]) -> StartRequest? {
        guard bytes.suffix(16).elementsEqual("\"verb\":\"start\"}\n".utf8),
            let frame = try? LineCodec.decode(RequestFrame.self, from: bytes.dropLast()),
            case .start(let start) = frame.request
        else { return nil }
        return start
    }

    func loseConnections(to host: SimulatedHost) {
        for connection in connections where connection.host === host { connection.cut("the host went away") }
    }

    func loseConnections(of node: CoordinatorNode) {
        for connection in connections where connection.node === node { connection.cut("the coordinator is gone") }
    }

    func loseAll() {
        for connection in connections { connection.cut("the simulation has ended") }
        connections = []
    }
}

/// One connection with one `serve` process at its end.
final class SimulatedConnection: AgentChannel, @unchecked Sendable {
    let node: CoordinatorNode
    let host: SimulatedHost
    private var session: SimulatedSession?
    private var received: [[UInt8]] = []
    private var reader: UnsafeContinuation<Void, Never>?
    private var failure: String?
    private var lastArrivalThere: Int64 = 0
    private var lastArrivalHere: Int64 = 0
    /// No data gets through any more, without notice to either side.
    var isMute = false

    var isOver: Bool { failure != nil }

    init(from node: CoordinatorNode, to host: SimulatedHost) {
        self.node = node
        self.host = host
        session = host.open { [weak self] frame in self?.answer(frame) }
    }

    func send(_ bytes: [UInt8]) async throws(ContactFailure) {
        try await node.pass()
        if let failure { throw ContactFailure(.hostUnreachable, failure) }
        host.world.network.carry(bytes, over: self)
        try await node.pass()
    }

    /// In order, as TCP does.
    func deliver(_ bytes: [UInt8], after milliseconds: Int64) {
        guard !isMute else { return }
        let time = host.world.time
        lastArrivalThere = max(lastArrivalThere, time.now + milliseconds)
        time.after(lastArrivalThere - time.now) { [session] in session?.receive(bytes) }
    }

    private func answer(_ frame: ReplyFrame) {
        guard failure == nil, !isMute, let line = try? LineCodec.encode(frame) else { return }
        let time = host.world.time
        lastArrivalHere = max(lastArrivalHere, time.now + host.world.delay(1...40))
        time.after(lastArrivalHere - time.now) { [weak self] in
            guard let self, failure == nil, !isMute else { return }
            received.append(line)
            wake()
        }
    }

    func receive() async throws(ContactFailure) -> [UInt8]? {
        while received.isEmpty, failure == nil {
            await withUnsafeContinuation { reader = $0 }
        }
        try await node.pass()
        if !received.isEmpty { return received.removeFirst() }
        throw ContactFailure(.hostUnreachable, failure ?? "closed")
    }

    func close() async { cut("the connection was closed") }

    /// Ends the coordinator's side; data on its way to the host still arrives, and the host's session then ends.
    func cut(_ reason: String) {
        guard failure == nil else { return }
        failure = reason
        let time = host.world.time
        time.after(max(0, lastArrivalThere - time.now) + 1) { [session] in session?.isOpen = false }
        wake()
    }

    private func wake() {
        let waiting = reader
        reader = nil
        waiting?.resume()
    }
}
