import UpgradeDomain

/// Swift's `Decoder` over a tape, as strict as Foundation's: no value is converted to another type, and none is
/// rounded.
struct TapeDecoder: Decoder {
    /// One document that is being read, and the position of the member after the last one read. Members are mostly
    /// requested in order.
    final class Document {
        let tape: JSONTape
        let beyondRange: CanonicalJSON.BeyondRange
        // Never accessed by two readers at once.
        @exclusivity(unchecked) fileprivate var object = 0
        @exclusivity(unchecked) fileprivate var hint = 1

        init(_ tape: JSONTape, _ beyondRange: CanonicalJSON.BeyondRange) {
            self.tape = tape
            self.beyondRange = beyondRange
        }
    }

    let document: Document
    let index: Int
    var tape: JSONTape { document.tape }
    var codingPath: [any CodingKey] { tape.path(to: index) }
    var userInfo: [CodingUserInfoKey: Any] {
        guard document.beyondRange == .clamped, let key = CodingUserInfoKey.clampsNumbers else { return [:] }
        return [key: true]
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, from tape: JSONTape, beyondRange: CanonicalJSON.BeyondRange
    ) throws -> Value {
        let decoder = TapeDecoder(document: Document(tape, beyondRange), index: 0)
        if let direct = type as? any DirectJSON.Type,
            let value = try direct.init(json: JSONReader(decoder: decoder)) as? Value
        {
            return value
        }
        return try decoder.decode(type)
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard tape.kind(index) == .object else { throw mismatch([String: Any].self) }
        return KeyedDecodingContainer(Members<Key>(decoder: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard tape.kind(index) == .array else { throw mismatch([Any].self) }
        return Elements(decoder: self)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    // MARK: Members

    fileprivate func member(_ name: String) -> TapeDecoder? {
        let hint = document.object == index ? document.hint : index + 1
        return tape.member(name, of: index, from: hint).map { TapeDecoder(document: document, index: $0) }
    }

    /// A member by its name. The next lookup is expected to be for the member after it.
    func nextMember(_ name: StaticString) -> TapeDecoder? {
        let hint = document.object == index ? document.hint : index + 1
        let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        guard let found = tape.member(wanted, of: index, from: hint) else { return nil }
        let member = TapeDecoder(document: document, index: found)
        expect(nextTo: member)
        return member
    }

    fileprivate func expect(nextTo member: TapeDecoder) {
        document.object = index
        document.hint = tape.next(member.index)
    }

    // MARK: Errors

    func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "expected \(type) and found \(found)")
        return tape.kind(index) == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    private var found: String {
        switch tape.kind(index) {
        case .null: "null"
        case .no, .yes: "a truth value"
        case .integer, .number: "a number"
        case .plainText, .text, .escapedText: "a text"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// For a value that is not a valid number of this type: another kind of value, or a number that does not fit.
    private func unrepresentable(_ type: Any.Type) -> DecodingError {
        switch tape.kind(index) {
        case .integer, .number:
            .dataCorrupted(.init(codingPath: codingPath, debugDescription: "the number does not fit \(type)"))
        case .null, .no, .yes, .plainText, .text, .escapedText, .array, .object: mismatch(type)
        }
    }
}

extension TapeDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { tape.kind(index) == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch tape.kind(index) {
        case .yes: true
        case .no: false
        case .null, .integer, .number, .plainText, .text, .escapedText, .array, .object: throw mismatch(type)
        }
    }

    func decode(_ type: String.Type) throws -> String {
        guard let text = tape.string(index) else { throw mismatch(type) }
        return text
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard let number = tape.floating(index, as: type) else { throw unrepresentable(type) }
        return number
    }

    func decode(_ type: Float.Type) throws -> Float {
        guard let number = tape.floating(index, as: type) else { throw unrepresentable(type) }
        return number
    }

    func decode(_ type: Int.Type) throws -> Int { try whole() }
    func decode(_ type: Int64.Type) throws -> Int64 { try whole() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try whole() }
    func decode<Value: FixedWidthInteger & Decodable>(_ type: Value.Type) throws -> Value { try whole() }

    @inline(__always)
    private func whole<Value: FixedWidthInteger>(as type: Value.Type = Value.self) throws -> Value {
        guard let number = tape.integer(index, as: type), number.magnitude <= CanonicalJSON.largestInteger else {
            return try beyond(type)
        }
        return number
    }

    /// An integer beyond the range: clamped to the nearest allowed value if the document is read that way, else an
    /// error.
    @inline(never)
    private func beyond<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        let largest = CanonicalJSON.largestInteger
        guard document.beyondRange == .clamped, let number = tape.floating(index, as: Double.self),
            number.magnitude > Double(largest), let nearest = Value(exactly: number < 0 ? -largest : largest)
        else { throw unrepresentable(type) }
        return nearest
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        type == JSONValue.self ? try wholeDocument() : try Value(from: self)
    }

    /// A separate function, so that reading other types does not pay for the cast.
    @inline(never)
    private func wholeDocument<Value>() throws -> Value {
        guard let value = tape.value(index) as? Value else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "a number in it does not fit Double"))
        }
        return value
    }
}

private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: TapeDecoder
    private var tape: JSONTape { decoder.tape }
    var codingPath: [any CodingKey] { decoder.codingPath }

    init(decoder: TapeDecoder) { self.decoder = decoder }

    var allKeys: [Key] {
        var keys: [Key] = []
        var name = decoder.index + 1
        while name < tape.next(decoder.index) {
            if let key = tape.string(name).flatMap(Key.init(stringValue:)) { keys.append(key) }
            name = tape.next(name + 1)
        }
        return keys
    }

    private func find(_ key: Key) -> TapeDecoder? { decoder.member(key.stringValue) }

    private func require(_ key: Key) throws -> TapeDecoder {
        guard let member = find(key) else {
            throw DecodingError.keyNotFound(
                key, .init(codingPath: codingPath, debugDescription: "there is no '\(key.stringValue)'"))
        }
        return member
    }

    /// Reads a member and expects the one after it next.
    @inline(__always)
    private func read<Value>(_ member: TapeDecoder, _ body: (TapeDecoder) throws -> Value) rethrows -> Value {
        let value = try body(member)
        decoder.expect(nextTo: member)
        return value
    }

    /// Reads a member that is present and not null.
    @inline(__always)
    private func present<Value>(_ key: Key, _ body: (TapeDecoder) throws -> Value) rethrows -> Value? {
        guard let member = find(key), !member.decodeNil() else { return nil }
        return try read(member, body)
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { try require(key).decodeNil() }

    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try read(require(key)) { try $0.decode(type) } }
    func decode(_ type: String.Type, forKey key: Key) throws -> String {
        try read(require(key)) { try $0.decode(type) }
    }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double {
        try read(require(key)) { try $0.decode(type) }
    }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try read(require(key)) { try $0.decode(type) } }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try read(require(key)) { try $0.decode(type) } }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try read(require(key)) { try $0.decode(type) } }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 {
        try read(require(key)) { try $0.decode(type) }
    }
    func decode<Value: FixedWidthInteger & Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try read(require(key)) { try $0.decode(type) }
    }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try read(require(key)) { try $0.decode(type) }
    }

    // Swift's default implementation would look up each member three times.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        try present(key) { try $0.decode(type) }
    }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        try present(key) { try $0.decode(type) }
    }
    func decodeIfPresent<Value: FixedWidthInteger & Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        try present(key) { try $0.decode(type) }
    }
    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        try present(key) { try $0.decode(type) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try require(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try require(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        decoder.member("super") ?? decoder
    }
    func superDecoder(forKey key: Key) throws -> any Decoder { try require(key) }
}

private struct Elements: UnkeyedDecodingContainer {
    let decoder: TapeDecoder
    private(set) var currentIndex = 0
    private var position: Int
    private var tape: JSONTape { decoder.tape }
    var codingPath: [any CodingKey] { decoder.codingPath }

    init(decoder: TapeDecoder) {
        self.decoder = decoder
        position = decoder.index + 1
    }

    var isAtEnd: Bool { position >= tape.next(decoder.index) }

    var count: Int? {
        var count = 0
        var element = decoder.index + 1
        while element < tape.next(decoder.index) {
            element = tape.next(element)
            count += 1
        }
        return count
    }

    private func require(_ type: Any.Type) throws -> TapeDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                type, .init(codingPath: codingPath, debugDescription: "the array has only \(currentIndex) elements"))
        }
        return TapeDecoder(document: decoder.document, index: position)
    }

    /// Reads an element, and moves to the next one only if that worked.
    @inline(__always)
    private mutating func read<Value>(_ type: Any.Type, _ body: (TapeDecoder) throws -> Value) throws -> Value {
        let value = try body(require(type))
        position = tape.next(position)
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard try require(Any?.self).decodeNil() else { return false }
        return try read(Any?.self) { $0.decodeNil() }
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try read(type) { try $0.decode(type) } }
    mutating func decode(_ type: String.Type) throws -> String { try read(type) { try $0.decode(type) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try read(type) { try $0.decode(type) } }
    mutating func decode(_ type: Float.Type) throws -> Float { try read(type) { try $0.decode(type) } }
    mutating func decode<Value: FixedWidthInteger & Decodable>(_ type: Value.Type) throws -> Value {
        try read(type) { try $0.decode(type) }
    }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try read(type) { try $0.decode(type) }
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try read([String: Any].self) { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try read([Any].self) { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try read((any Decoder).self) { $0 } }
}
