package import OperatorCommands

/// What this machine is missing to reach hosts.
package struct FleetAccessError: Error {
    /// What failed and where.
    package var message: String
    package var consequence: String?
    package var next: OperatorCommand?
    /// Whether a setting of this machine prevents it, and not something that is missing.
    package var isRefusal: Bool

    init(_ message: String, consequence: String? = nil, next: OperatorCommand?, isRefusal: Bool = false) {
        self.message = message
        self.consequence = consequence
        self.next = next
        self.isRefusal = isRefusal
    }
}
