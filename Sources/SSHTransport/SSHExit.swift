/// How a command ended, as far as the transport knows.
package struct SSHExit: Sendable, Hashable {
    /// Advisory: also 0 if the server sent no status at all, for example after a signal or when the server itself died.
    /// If an outcome matters, the command's output must state it.
    package let status: Int
    /// The signal that ended the command, without SIG, if the server reported it; `unnamedSignal` if its name is not
    /// known.
    package let signal: String?

    /// OpenSSH's client reports neither which signal it was, nor that the server could not run the command at all.
    package static let unnamedSignal = "unnamed"

    package init(status: Int, signal: String?) {
        self.status = status
        self.signal = signal
    }
}
