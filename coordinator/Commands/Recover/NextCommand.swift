/// A command that can be given now, whole.
struct NextCommand: Codable, Hashable {
    var command: String
    var why: String

    init(_ command: String, _ why: String) {
        self.command = command
        self.why = why
    }
}
