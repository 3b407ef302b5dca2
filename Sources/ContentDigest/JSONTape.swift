/// A JSON text (RFC 8259) as one flat list of its values. Each entry knows where it ends.
///
/// Nothing is copied out of the text until a value is requested. An object is followed by its names, each followed by
/// its value. `next` skips everything that belongs to an entry.
struct JSONTape {
    enum Kind: UInt8 {
        case null, no, yes
        /// A number without fraction or exponent.
        case integer
        case number
        /// A string, by how its bytes can be read: plain ASCII, UTF-8, or with escapes.
        case plainText, text, escapedText
        case array, object
    }

    struct Entry {
        var kind: Kind
        /// Its position in the text; for a string, without the quotes.
        var start: UInt32
        var end: UInt32
        /// The index of the entry after this one and all its content.
        var next: UInt32
    }

    let bytes: [UInt8]
    let entries: [Entry]

    /// - Parameter nestingDepth: The parser recurses once per level.
    /// - Throws: for everything that RFC 8259 does not allow, and for an object with a repeated name, which RFC 8259
    ///   lets each reader interpret differently.
    init(parsing bytes: [UInt8], nestingDepth: Int) throws(JSONError) {
        guard bytes.count < UInt32.max else { throw JSONError(.tooLong, at: Int(UInt32.max)) }
        self.bytes = bytes
        entries = try bytes.withUnsafeBufferPointer { source throws(JSONError) in
            var parser = JSONParser(source, nestingDepth: nestingDepth)
            return try parser.parse()
        }
    }
}

/// One pass over a text, from left to right.
private struct JSONParser {
    private let source: UnsafeBufferPointer<UInt8>
    private let nestingDepth: Int
    private var position = 0
    private var entries: [JSONTape.Entry] = []

    init(_ source: UnsafeBufferPointer<UInt8>, nestingDepth: Int) {
        self.source = source
        self.nestingDepth = nestingDepth
        entries.reserveCapacity(source.count / 12 + 4)
    }

    mutating func parse() throws(JSONError) -> [JSONTape.Entry] {
        try readValue(depth: 0)
        skipSpace()
        guard position == source.count else { throw JSONError(.trailingBytes, at: position) }
        return entries
    }

    // MARK: Bytes

    /// At the end it is 0, a byte that never occurs outside a string.
    private var byte: UInt8 { position < source.count ? source[position] : 0 }

    private mutating func skipSpace() {
        while byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private func unexpected() -> JSONError {
        JSONError(position < source.count ? .unexpectedByte : .truncated, at: position)
    }

    private mutating func takes(_ wanted: UInt8) -> Bool {
        guard byte == wanted else { return false }
        position += 1
        return true
    }

    private mutating func add(_ kind: JSONTape.Kind, from start: Int, to end: Int) {
        entries.append(
            JSONTape.Entry(kind: kind, start: UInt32(start), end: UInt32(end), next: UInt32(entries.count + 1)))
    }

    // MARK: Values

    private mutating func readValue(depth: Int) throws(JSONError) {
        skipSpace()
        switch byte {
        case 0x7b: try readObject(depth: depth)
        case 0x5b: try readArray(depth: depth)
        case 0x22: try readText()
        case 0x2d, 0x30...0x39: try readNumber()
        case 0x74: try readWord("true", .yes)
        case 0x66: try readWord("false", .no)
        case 0x6e: try readWord("null", .null)
        default: throw unexpected()
        }
    }

    private mutating func readWord(_ word: StaticString, _ kind: JSONTape.Kind) throws(JSONError) {
        let start = position
        for index in 0..<word.utf8CodeUnitCount where !takes(word.utf8Start[index]) { throw unexpected() }
        add(kind, from: start, to: position)
    }

    /// Enters an array or object.
    private mutating func open(_ kind: JSONTape.Kind, depth: Int) throws(JSONError) -> Int {
        guard depth < nestingDepth else { throw JSONError(.tooDeep, at: position) }
        add(kind, from: position, to: position)
        position += 1
        skipSpace()
        return entries.count - 1
    }

    private mutating func close(_ index: Int) {
        entries[index].end = UInt32(position)
        entries[index].next = UInt32(entries.count)
    }

    private mutating func readArray(depth: Int) throws(JSONError) {
        let own = try open(.array, depth: depth)
        if !takes(0x5d) {
            while true {
                try readValue(depth: depth + 1)
                skipSpace()
                if takes(0x5d) { break }
                guard takes(0x2c) else { throw unexpected() }
            }
        }
        close(own)
    }

    private mutating func readObject(depth: Int) throws(JSONError) {
        let own = try open(.object, depth: depth)
        // Names in sorted order, as in canonical JSON, prove at once that none is repeated.
        var isAscending = true
        var last: Int?
        if !takes(0x7d) {
            while true {
                skipSpace()
                guard byte == 0x22 else { throw unexpected() }
                let name = entries.count
                try readText()
                isAscending = isAscending && isPlain(name, after: last)
                last = name
                skipSpace()
                guard takes(0x3a) else { throw unexpected() }
                try readValue(depth: depth + 1)
                skipSpace()
                if takes(0x7d) { break }
                guard takes(0x2c) else { throw unexpected() }
            }
        }
        close(own)
        if !isAscending { try refuseRepeatedNames(of: own) }
    }

    private func isPlain(_ name: Int, after last: Int?) -> Bool {
        guard entries[name].kind == .plainText else { return false }
        guard let last else { return true }
        return text(last).lexicographicallyPrecedes(text(name))
    }

    private func text(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: source[Int(entries[index].start)..<Int(entries[index].end)])
    }

    /// Strings that Swift treats as equal count as one name, because a dictionary could keep only one of them.
    private func refuseRepeatedNames(of object: Int) throws(JSONError) {
        var seen: Set<String> = []
        var name = object + 1
        while name < Int(entries[object].next) {
            let isNew = seen.insert(JSONTape.string(text(name), entries[name].kind)).inserted
            guard isNew else { throw JSONError(.repeatedName, at: Int(entries[name].start) - 1) }
            name = Int(entries[name + 1].next)
        }
    }

    // MARK: Texts and numbers

    private mutating func readText() throws(JSONError) {
        position += 1
        let start = position
        var isEscaped = false
        var isASCII = true
        while position < source.count, source[position] != 0x22 {
            switch source[position] {
            case 0x5c:
                isEscaped = true
                try skipEscape()
            case 0..<0x20: throw JSONError(.invalidText, at: position)
            case 0x80...:
                isASCII = false
                position += 1
            default: position += 1
            }
        }
        guard position < source.count else { throw JSONError(.truncated, at: position) }
        add(isEscaped ? .escapedText : isASCII ? .plainText : .text, from: start, to: position)
        if !isASCII, String(validating: text(entries.count - 1), as: UTF8.self) == nil {
            throw JSONError(.invalidText, at: start)
        }
        position += 1
    }

    private mutating func skipEscape() throws(JSONError) {
        let start = position
        position += 1
        switch byte {
        case 0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74: position += 1
        case 0x75:
            position += 1
            let unit = try takeCodeUnit(since: start)
            guard (0xd800...0xdfff).contains(unit) else { return }
            guard unit < 0xdc00, takes(0x5c), takes(0x75), (0xdc00...0xdfff).contains(try takeCodeUnit(since: start))
            else { throw JSONError(.loneSurrogate, at: start) }
        default: throw position < source.count ? JSONError(.invalidEscape, at: start) : unexpected()
        }
    }

    private mutating func takeCodeUnit(since start: Int) throws(JSONError) -> UInt32 {
        guard position + 4 <= source.count else { throw JSONError(.truncated, at: source.count) }
        guard let unit = JSONTape.codeUnit(source, at: position) else { throw JSONError(.invalidEscape, at: start) }
        position += 4
        return unit
    }

    private mutating func skipDigits() -> Bool {
        let start = position
        while (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }

    private mutating func readNumber() throws(JSONError) {
        let start = position
        var kind = JSONTape.Kind.integer
        _ = takes(0x2d)
        var isSpelled = takes(0x30) || skipDigits()
        if takes(0x2e) {
            kind = .number
            isSpelled = skipDigits() && isSpelled
        }
        if byte == 0x65 || byte == 0x45 {
            kind = .number
            position += 1
            if byte == 0x2b || byte == 0x2d { position += 1 }
            isSpelled = skipDigits() && isSpelled
        }
        // If another digit remains here, the number had a leading zero.
        guard isSpelled, !(0x30...0x39).contains(byte) else { throw JSONError(.invalidNumber, at: start) }
        add(kind, from: start, to: position)
    }
}
