/// How a command ended, as far as libssh2 knows.
package struct SSHExit: Sendable, Hashable {
    /// Advisory: 0 also when the server sent no status at all, as after a signal or the server's own death. An
    /// outcome that matters must be stated in the command's output.
    package let status: Int
    /// The signal that ended the command, without SIG, when the server said so; `unnamedSignal` when that is not passed on.
    package let signal: String?

    /// OpenSSH's client passes on neither which signal it was, nor that the server could not run the command at all.
    package static let unnamedSignal = "unnamed"

    package init(status: Int, signal: String?) {
        self.status = status
        self.signal = signal
    }
}
