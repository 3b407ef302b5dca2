import Foundation
import SSHSignatures
import Testing

/// Signatures of every kind, unharmed and damaged, held against ssh-keygen.
struct OracleTests {
    /// `SIGNATURES=N` for another number of them, `SEED=N` for other ones.
    private static func number(_ name: String, or usual: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? usual
    }

    @Test func oursAgreesWithSSHKeygenExceptInTheListedDifferences() async throws {
        let seed = Self.number("SEED", or: 1)
        var random = Seeded(state: UInt64(truncatingIfNeeded: seed))
        try await OpenSSHProgram.with { program in
            let set = try await SignatureSet(program, &random)
            try program.write([UInt8](set.allowed.map { "tester \($0)\n" }.joined().utf8), to: "allowed")
            var cases = set.bases.map(\.unchanged) + set.deliberate
            while cases.count < Self.number("SIGNATURES", or: 1_500) {
                let base = try #require(set.bases.randomElement(using: &random))
                cases.append(base.mutated(with: set.bases, &random))
            }
            let asked = cases
            let known = Set(set.allowed.compactMap { try? SSHPublicKey(line: $0) })
            let answers = try await OpenSSHProgram.concurrently(asked.count) { index in
                let one = asked[index]
                let theirs = try program.accepts(
                    one.armour, message: one.message, namespace: one.namespace, allowed: "allowed", name: "\(index)")
                return Answer(theirs: theirs, ours: Answer.ours(one.armour, one, known))
            }
            var seen: [Difference: Int] = [:]
            for (one, answer) in zip(asked, answers) {
                let found = answer.difference(in: one, known)
                #expect(
                    found != .unlisted,
                    "seed \(seed): \(one.name): \(answer)\n\(String(decoding: one.armour, as: UTF8.self))")
                if case .listed(let difference) = found { seen[difference, default: 0] += 1 }
                if let shows = one.shows {
                    #expect(found == .listed(shows), "\(one.name) shows no such difference: \(answer)")
                }
            }
            for difference in Difference.allCases {
                #expect(seen[difference] != nil, "\(difference) is no difference any more")
            }
            // Neither the good nor the bad ones are missing.
            let good = answers.count { $0.theirs }
            #expect((asked.count / 10...asked.count * 9 / 10).contains(good), "\(good) of \(asked.count) are good")
        }
    }
}

/// What both say about one case.
private struct Answer: Sendable, CustomStringConvertible {
    enum Finding: Equatable {
        case same
        case listed(Difference)
        case unlisted
    }

    let theirs: Bool
    /// nil if it is accepted.
    let ours: SignatureProblem?

    var description: String { "ssh-keygen \(theirs ? "accepts" : "refuses"), ours: \(ours?.words ?? "accepts")" }

    static func ours(_ armour: [UInt8], _ one: SignatureCase, _ known: Set<SSHPublicKey>) -> SignatureProblem? {
        do throws(SignatureProblem) {
            let signature = try SSHSignature(armored: armour)
            let key = try signature.verify(message: one.message, namespace: one.namespace)
            // As a caller does, who knows whom it asks.
            return known.contains(key) ? nil : .doesNotMatch(key)
        } catch {
            return error
        }
    }

    func difference(in one: SignatureCase, _ known: Set<SSHPublicKey>) -> Finding {
        guard theirs != (ours == nil) else { return .same }
        guard let ours else {
            let isSpaced = one.armour.first != UInt8(ascii: "-") || one.armour.contains(0x0d)
            return isSpaced ? .listed(.spaceBefore) : .unlisted
        }
        let difference: Difference? =
            switch ours {
            case .notArmoured:
                isAcceptedTightened(one, known) ? .looseArmour : one.shows == .longField ? .longField : nil
            case .unsupportedVersion(0): .versionZero
            case .noTouch(let key) where key.kind.isSecurityKey: .noTouch
            case .rsaTooShort(bits: 2048, minimumBits: 3072): .shortRSA
            case .unsupportedAlgorithm("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", _): .webauthn
            case .foreignApplication("https://a.example"), .foreignApplication(""): .foreignApplication
            case .certificate("ssh-ed25519-cert-v01@openssh.com"): .certificate
            case .unsupportedKey("ecdsa-sha2-nistp384"): .otherCurve
            case .malformedSignature, .malformedKey, .unsupportedHash, .unsupportedAlgorithm:
                isAcceptedWithoutNUL(one, known) ? .terminatedName : one.shows
            case .doesNotMatch: one.shows == .unreducedScalar ? .unreducedScalar : nil
            case .unsupportedVersion, .noTouch, .noVerification, .rsaRefused, .rsaTooShort, .rsaTooLong, .sha1,
                .foreignApplication, .certificate, .unsupportedKey, .wrongNamespace:
                nil
            }
        return difference.map { .listed($0) } ?? .unlisted
    }

    /// Whether ours agrees once the armour is as ssh-keygen writes it.
    private func isAcceptedTightened(_ one: SignatureCase, _ known: Set<SSHPublicKey>) -> Bool {
        guard let blob = Self.blob(of: one.armour) else { return false }
        return isFine(SignatureParts.armour(blob), one, known)
    }

    private func isAcceptedWithoutNUL(_ one: SignatureCase, _ known: Set<SSHPublicKey>) -> Bool {
        guard let blob = Self.blob(of: one.armour), var parts = SignatureParts(blob) else { return false }
        let before = parts.blob
        if parts.namespace.last == 0 { parts.namespace.removeLast() }
        if parts.hash.last == 0 { parts.hash.removeLast() }
        if parts.algorithm.last == 0 { parts.algorithm.removeLast() }
        return parts.blob != before && isFine(parts.armour, one, known)
    }

    /// Accepted, or refused for a rule of ours.
    private func isFine(_ armour: [UInt8], _ one: SignatureCase, _ known: Set<SSHPublicKey>) -> Bool {
        guard let problem = Self.ours(armour, one, known) else { return true }
        let ruled = SignatureCase(one.name, armour: armour, message: one.message, namespace: one.namespace)
        return armour != one.armour && Answer(theirs: true, ours: problem).difference(in: ruled, known) != .unlisted
    }

    /// What ssh-keygen takes from an armour: up to the first last line, without white space.
    private static func blob(of armour: [UInt8]) -> [UInt8]? {
        let text = Data(armour)
        guard let end = text.range(of: Data("\n-----END SSH SIGNATURE-----".utf8)) else { return nil }
        let content = text[..<end.lowerBound].dropFirst(30).filter {
            ![0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20].contains($0)
        }
        return Data(base64Encoded: Data(content)).map { [UInt8]($0) }
    }
}
