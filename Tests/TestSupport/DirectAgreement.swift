package import ContentDigest
package import Testing

/// Whether a type that is read and written directly agrees with its `Codable`: in its written form, and for every
/// document that results from removing or changing one byte.
///
/// An element of an array goes through `Codable`; a top-level document does not.
package func expectDirectAgrees<Value: DirectJSON & Equatable>(
    _ value: Value, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let direct = try CanonicalJSON.encode(value)
    #expect([0x5b] + direct + [0x5d] == (try CanonicalJSON.encode([value])), sourceLocation: sourceLocation)
    let text = String(decoding: direct, as: UTF8.self)
    // A case with an additional value, and one whose value is null.
    var documents = [direct, Array((text.dropLast() + ",\"zz\":1}").utf8)]
    for value in ["5", "null", "[]", "\"x\""] {
        documents.append(Array(text.replacing(/\{\}/, with: value).utf8))
        documents.append(Array(text.replacing(/\{\"[a-zA-Z0-9_]*\":[^{}]*\}/, with: value).utf8))
    }
    for index in direct.indices {
        var shorter = direct
        shorter.remove(at: index)
        documents.append(shorter)
        for other in [UInt8(ascii: "x"), UInt8(ascii: "7")] where other != direct[index] {
            var changed = direct
            changed[index] = other
            documents.append(changed)
        }
    }
    for document in documents {
        let one = try? CanonicalJSON.decode(Value.self, from: document)
        let other = try? CanonicalJSON.decode([Value].self, from: [0x5b] + document + [0x5d]).first
        #expect(one == other, "\(String(decoding: document, as: UTF8.self))", sourceLocation: sourceLocation)
    }
}
