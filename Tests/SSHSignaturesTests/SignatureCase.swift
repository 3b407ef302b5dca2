import Foundation
import SSHSignatures

/// One question to both verifiers.
struct SignatureCase: Sendable {
    let name: String
    let armour: [UInt8]
    let message: [UInt8]
    /// What the signature must be for.
    let namespace: String
    /// The difference that this case is there to show; nil if the answers must be the same, or differ by accident.
    let shows: Difference?

    init(
        _ name: String, armour: [UInt8], message: [UInt8], namespace: String = "file", shows: Difference? = nil
    ) {
        (self.name, self.armour, self.message) = (name, armour, message)
        (self.namespace, self.shows) = (namespace, shows)
    }
}

/// Every difference between ssh-keygen and ours. Whatever is not here is an error of ours.
enum Difference: String, CaseIterable, Sendable {
    // ssh-keygen accepts what is refused here.
    /// Something behind the armour, empty or long lines, spaces in lines.
    case looseArmour
    case versionZero
    /// A security key whose flags say that nobody touched it.
    case noTouch
    /// RSA below the 3,072 bits of the default rules.
    case shortRSA
    /// A NUL behind a name.
    case terminatedName
    /// Leading zeros of a number.
    case paddedNumber
    /// A signature that a web browser had a security key make.
    case webauthn
    /// A security key that was made for something else than SSH.
    case foreignApplication
    case certificate
    /// P-384 and P-521.
    case otherCurve
    /// An ed25519 signature with the group's order added to its scalar: a second signature without a second signing.
    case unreducedScalar
    case longField
    case unprintableNamespace
    // ssh-keygen refuses what is accepted here.
    /// White space before the armour, and a carriage return in its first line.
    case spaceBefore
}

/// A signature that both accept, or refuse for one listed reason, before anything is changed.
struct SignatureBase: Sendable {
    let name: String
    let parts: SignatureParts
    let message: [UInt8]
    let namespace: String

    /// The case in which nothing is changed.
    var unchanged: SignatureCase { changed("unchanged", parts) }

    func changed(_ what: String, _ parts: SignatureParts, shows: Difference? = nil) -> SignatureCase {
        changed(what, armour: parts.armour, shows: shows)
    }

    func changed(_ what: String, armour: [UInt8], shows: Difference? = nil) -> SignatureCase {
        SignatureCase("\(name), \(what)", armour: armour, message: message, namespace: namespace, shows: shows)
    }
}

// MARK: Changes by chance

extension SignatureBase {
    /// A case with one random change. `others` are where foreign parts come from.
    func mutated(with others: [SignatureBase], _ random: inout Seeded) -> SignatureCase {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2: mutatedField(with: others, &random)
        case 3...5: mutatedBlob(&random)
        case 6...7: mutatedArmour(with: others, &random)
        default: mutatedQuestion(with: others, &random)
        }
    }

    /// One field changed, with the lengths as they should be.
    private func mutatedField(with others: [SignatureBase], _ random: inout Seeded) -> SignatureCase {
        var parts = self.parts
        let field = Int.random(in: 0..<SignatureParts.fields.count, using: &random)
        let path = SignatureParts.fields[field]
        let content = parts[keyPath: path]
        let place = Int.random(in: 0...content.count, using: &random)
        let what = Int.random(in: 0..<7, using: &random)
        switch what {
        case 0: parts[keyPath: path].insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 1: parts[keyPath: path].removeAll { _ in Int.random(in: 0..<64, using: &random) == 0 }
        case 2: parts[keyPath: path] = Array(content.prefix(place))
        case 3: parts[keyPath: path] += random.bytes(Int.random(in: 1...8, using: &random))
        case 4: parts[keyPath: path] = others.randomElement(using: &random)?.parts[keyPath: path] ?? []
        case 5:
            let names = ["sha1", "sha256", "sha384", "sha512", "SHA512", "", "sha512 ", "rsa-sha2-256", "rsa-sha2-512"]
            let name = [UInt8]((names.randomElement(using: &random) ?? "").utf8)
            if Bool.random(using: &random) { parts.hash = name } else { parts.algorithm = name }
        default: parts.content = others.randomElement(using: &random)?.parts.content ?? []
        }
        return changed("field \(field) changed (\(what))", parts)
    }

    /// Bytes of the blob changed, whatever they are.
    private func mutatedBlob(_ random: inout Seeded) -> SignatureCase {
        var blob = parts.blob
        let what = Int.random(in: 0..<5, using: &random)
        switch what {
        case 0, 1:
            // A bit of one region: each is hit as often, however short it is.
            let offsets = [0, 6] + parts.lengthOffsets + [blob.count]
            let region = Int.random(in: 0..<(offsets.count - 1), using: &random)
            let place = Int.random(in: offsets[region]..<offsets[region + 1], using: &random)
            blob[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: blob.removeLast(Int.random(in: 1...blob.count, using: &random))
        case 3: blob += random.bytes(Int.random(in: 1...70, using: &random))
        default:
            let lengths: [UInt32] = [0, 1, 31, 33, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
            let length = lengths.randomElement(using: &random) ?? 0
            let place = parts.lengthOffsets.randomElement(using: &random) ?? 10
            for index in 0..<4 { blob[place + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index))) }
        }
        return changed("blob changed (\(what))", armour: SignatureParts.armour(blob))
    }

    private func mutatedArmour(with others: [SignatureBase], _ random: inout Seeded) -> SignatureCase {
        var text = parts.armour
        let place = Int.random(in: 0..<text.count, using: &random)
        let what = Int.random(in: 0..<8, using: &random)
        switch what {
        case 0: text.insert("=A-\n \t\r+.\u{c}".utf8.randomElement(using: &random) ?? 0, at: place)
        case 1: text.remove(at: place)
        case 2: text[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 3: text = SignatureParts.armour(parts.blob, width: Int.random(in: 1...100, using: &random))
        case 4: text.removeLast(Int.random(in: 1...text.count, using: &random))
        case 5: text += others.randomElement(using: &random)?.parts.armour ?? []
        case 6: text += random.bytes(Int.random(in: 1...8, using: &random))
        default:
            var lines = text.split(separator: 0x0a, omittingEmptySubsequences: false)
            let line = Int.random(in: 0..<lines.count, using: &random)
            if Bool.random(using: &random) { lines.remove(at: line) } else { lines.insert(lines[line], at: line) }
            text = Array(lines.joined(separator: [0x0a]))
        }
        return changed("armour changed (\(what))", armour: text)
    }

    /// Something else asked than was signed.
    private func mutatedQuestion(with others: [SignatureBase], _ random: inout Seeded) -> SignatureCase {
        let other = others.randomElement(using: &random) ?? self
        var message = self.message
        var parts = self.parts
        let what = Int.random(in: 0..<6, using: &random)
        switch what {
        case 0: message = other.message
        case 1: message.append(UInt8.random(in: 0...255, using: &random))
        case 2 where !message.isEmpty:
            message[Int.random(in: 0..<message.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 3:
            parts.namespace = [UInt8](other.namespace.utf8)
            return SignatureCase(
                "\(name), another namespace in it", armour: parts.armour, message: message, namespace: other.namespace)
        case 4:
            parts.reserved = random.bytes(Int.random(in: 0...64, using: &random))
            return changed("reserved filled", parts)
        default:
            return SignatureCase(
                "\(name), another namespace", armour: parts.armour, message: message, namespace: other.namespace)
        }
        return SignatureCase(
            "\(name), another message (\(what))", armour: parts.armour, message: message, namespace: namespace)
    }
}
