extension Error {
    /// Why a document could not be read, for people: with the path to the key, and without the names of types.
    package var documentWords: String {
        guard let error = self as? DecodingError else { return "\(self)" }
        func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
            let path = (context.codingPath + [key].compactMap(\.self))
                .map { $0.intValue.map { "[\($0 + 1)]" } ?? $0.stringValue }.joined(separator: ".")
            return path.isEmpty ? "the document" : "the key '\(path)'"
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context, key)) is missing"
        case .valueNotFound(_, let context): return "\(place(context)) has no value"
        case .typeMismatch(_, let context):
            return "\(place(context)) has a value of another type: \(context.debugDescription)"
        case .dataCorrupted(let context): return "\(place(context)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}
