package import UpgradeDomain

/// A type that is read and written so often that Swift's `Decoder` and `Encoder` would cost more than the JSON itself.
///
/// It reads and writes exactly what its `Codable` does; a test compares the two.
package protocol DirectJSON: Codable {
    init(json: JSONReader) throws
    func write(to json: JSONWriter) throws
}

/// One value of a document.
package struct JSONReader {
    let decoder: TapeDecoder
    /// For a case that is read rarely.
    package var codable: any Decoder { decoder }

    // MARK: Objects and arrays

    /// - Throws: if the value is not an object, or has no member with that name.
    package func member(_ name: StaticString) throws -> JSONReader {
        guard decoder.tape.kind(decoder.index) == .object else { throw decoder.mismatch([String: Any].self) }
        guard let member = decoder.nextMember(name) else {
            throw DecodingError.keyNotFound(
                TapeKey("\(name)"),
                .init(codingPath: decoder.codingPath, debugDescription: "there is no '\(name)'"))
        }
        return JSONReader(decoder: member)
    }

    /// nil if the member is absent or null.
    package func optional(_ name: StaticString) throws -> JSONReader? {
        guard decoder.tape.kind(decoder.index) == .object else { throw decoder.mismatch([String: Any].self) }
        guard let member = decoder.nextMember(name), !member.decodeNil() else { return nil }
        return JSONReader(decoder: member)
    }

    /// The name and value of the single member that encodes an enumeration's case; nil if the value is more complex,
    /// which ``codable`` handles.
    package func onlyMember() -> (name: String, value: JSONReader)? {
        let tape = decoder.tape
        let name = decoder.index + 1
        guard tape.kind(decoder.index) == .object, name < tape.next(decoder.index),
            tape.next(name + 1) == tape.next(decoder.index), tape.kind(name + 1) == .object,
            let text = tape.string(name)
        else { return nil }
        return (text, JSONReader(decoder: TapeDecoder(document: decoder.document, index: name + 1)))
    }

    package var isEmptyObject: Bool {
        decoder.tape.kind(decoder.index) == .object && decoder.tape.next(decoder.index) == decoder.index + 1
    }

    /// Each element of an array, in order.
    package func elements<Element>(_ read: (JSONReader) throws -> Element) throws -> [Element] {
        let tape = decoder.tape
        guard tape.kind(decoder.index) == .array else { throw decoder.mismatch([Any].self) }
        var elements: [Element] = []
        var element = decoder.index + 1
        while element < tape.next(decoder.index) {
            elements.append(try read(JSONReader(decoder: TapeDecoder(document: decoder.document, index: element))))
            element = tape.next(element)
        }
        return elements
    }

    // MARK: Scalars

    package func bool() throws -> Bool { try decoder.decode(Bool.self) }
    package func string() throws -> String { try decoder.decode(String.self) }
    package func integer() throws -> Int { try decoder.decode(Int.self) }
    package func integer64() throws -> Int64 { try decoder.decode(Int64.self) }
    package func unsigned() throws -> UInt64 { try decoder.decode(UInt64.self) }
    package func unsigned32() throws -> UInt32 { try decoder.decode(UInt32.self) }
    package func name<Value: Name>(_ type: Value.Type = Value.self) throws -> Value { Value(rawValue: try string()) }

    /// A word from a closed list.
    package func word<Word: RawRepresentable<String>>(_ type: Word.Type = Word.self) throws -> Word {
        let text = try string()
        guard let word = Word(rawValue: text) else { throw corrupted("no \(type)") }
        return word
    }

    /// A value of a type that is read rarely.
    package func value<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value { try decoder.decode(type) }

    /// The error for a value that can be read but has no valid meaning.
    package func corrupted(_ words: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: words))
    }
}

/// The position of one value in a document that is being written.
package struct JSONWriter {
    let node: NodeEncoder

    /// A member of the object that is written here.
    package func member(_ name: StaticString) -> JSONWriter { JSONWriter(node: node.tree.member(name, of: node.node)) }

    /// The single member of an enumeration's case.
    package func member(_ name: StaticString, _ write: (JSONWriter) throws -> Void) rethrows { try write(member(name)) }

    /// Writes an array, element by element.
    package func array<Element>(_ elements: [Element], _ write: (Element, JSONWriter) throws -> Void) rethrows {
        node.tree.makeArray(node.node)
        for element in elements { try write(element, JSONWriter(node: node.tree.element(of: node.node))) }
    }

    package func put(_ value: Bool) { node.encode(value) }
    package func put(_ text: String) { node.encode(text) }
    package func put(_ name: some Name) { node.encode(name.rawValue) }
    package func put(_ word: some RawRepresentable<String>) { node.encode(word.rawValue) }
    package func put(_ number: some BinaryInteger & Encodable) throws { try node.encode(number) }

    /// A value of a type that is written rarely.
    package func put(value: some Encodable) throws { try value.encode(to: node) }
}
