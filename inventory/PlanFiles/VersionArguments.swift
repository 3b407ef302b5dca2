package import UpgradeDomain

/// Versions that come with the command and not from the file.
package struct VersionArguments: Sendable {
    package var from: Version?
    package var to: Version?

    package init(from: Version? = nil, to: Version? = nil) {
        self.from = from
        self.to = to
    }
}
