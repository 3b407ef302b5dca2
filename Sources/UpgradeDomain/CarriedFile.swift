import SafeText

/// A file of the plan that is carried to the hosts, so that what judges a change does not lie in the checkout that changes.
///
/// It is part of the plan, and so of its digest. Commands name it `${file.NAME}`.
package struct CarriedFile: Codable, Hashable, Sendable {
    /// The most bytes of all files of a plan together.
    package static let totalBytes = 262_144
    /// The most files of a plan: as many as fit one request.
    package static let count = 256
    /// What stands for the folder of carried files in a command on its way to a host, which knows where that is.
    package static let folderMark = "lockflight-file:///"

    /// The last part of its path, unique in the plan.
    package var name: String
    package var sha256: Digest
    /// UTF-8.
    package var text: String

    package init(name: String, sha256: Digest, text: String) {
        self.name = name
        self.sha256 = sha256
        self.text = text
    }

    /// Its path below the folder of carried files: files of the same name and of different plans do not meet.
    package static func place(of sha256: Digest, named name: String) -> String {
        "\(sha256.rawValue.rest(after: "sha256:") ?? "")/\(name)"
    }

    /// What ``Placeholder`` puts in place of its name.
    package var mark: String { CarriedFile.folderMark + CarriedFile.place(of: sha256, named: name) }
}
