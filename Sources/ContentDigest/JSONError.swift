/// Why bytes are not JSON text that this reader accepts, and where the error is.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as a closed list.
    package enum Code: String, Hashable, Sendable {
        /// The text ends in the middle of a value.
        case truncated
        case unexpectedByte
        /// There is more text after the value.
        case trailingBytes
        case tooDeep
        /// The document has more bytes than the reader can count.
        case tooLong
        case repeatedName
        /// A string has bytes that are not UTF-8, or an unescaped control character.
        case invalidText
        case invalidEscape
        /// Half of a surrogate pair, which is not a character.
        case loneSurrogate
        case invalidNumber
    }

    package let code: Code
    /// The position, counted from 0, where the invalid part begins.
    package let byteOffset: Int

    init(_ code: Code, at byteOffset: Int) {
        self.code = code
        self.byteOffset = byteOffset
    }

    package var description: String { "not JSON: \(sentence) at byte \(byteOffset)" }

    private var sentence: String {
        switch code {
        case .truncated: "it ends too early"
        case .unexpectedByte: "an unexpected byte"
        case .trailingBytes: "something follows the value"
        case .tooDeep: "it nests too deep"
        case .tooLong: "it is too long"
        case .repeatedName: "an object has the same name twice"
        case .invalidText: "a text is not UTF-8 or has a control character"
        case .invalidEscape: "an escape that does not exist"
        case .loneSurrogate: "half of a surrogate pair"
        case .invalidNumber: "a number that is not spelled as one"
        }
    }
}
