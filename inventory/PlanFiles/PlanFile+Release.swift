import FileReading
import SafeText
import UpgradeDomain

/// The release manifests of a plan.
extension PlanReading {
    /// The longest signature that is read; those of the largest keys have some 3,000 bytes.
    private static let signatureBytes = 16_384

    /// The manifest of a layer with these versions; nil, with a problem recorded, if it can not be read.
    func readRelease(_ files: ReleaseFiles, _ version: VersionChange) -> ReleaseManifest? {
        func exact(_ path: String) -> String {
            path.replacing("${from}", with: version.from.rawValue).replacing("${to}", with: version.to.rawValue)
        }
        let path = exact(files.manifest)
        if let open = ([path] + files.signatures.map(exact)).first(where: { $0.holds("${") }) {
            reader.report(files.line, "'\(open)' has a '${' that is not '${from}' or '${to}'", "write the path")
            return nil
        }
        guard let text = loaded(path, files.line) else { return nil }
        var manifest: ReleaseManifest
        do throws(ReleaseManifestProblem) {
            manifest = try ReleaseManifest(reading: text)
        } catch {
            let place = error.line.map { "\(path), line \($0)" } ?? path
            reader.report(files.line, "\(place): \(error.message)", error.remedy)
            return nil
        }
        if !files.signatures.isEmpty, !text.isSpelled(manifest.text) {
            // A signature over other bytes would be no signature of what the plan has.
            reader.report(
                files.line, "\(path) is signed, but not written as it is signed",
                "sort its lines by path (LC_ALL=C sort -k 2), write two spaces in each and no './', and sign the result"
            )
        }
        for signature in files.signatures.map(exact) {
            guard let text = loaded(signature, files.line) else { continue }
            if text.utf8.count > PlanReading.signatureBytes || !text.begins(with: "-----BEGIN SSH SIGNATURE-----") {
                reader.report(
                    files.line, "\(signature) is not an SSH signature",
                    "write it with: ssh-keygen -Y sign -n release.v1@lockflight -f KEY \(ShellText.word(path))")
            } else {
                manifest.signatures.append(text)
            }
        }
        return manifest
    }

    private func loaded(_ path: String, _ line: Int) -> String? {
        do {
            return try load(path)
        } catch {
            reader.report(line, "\(error)", "write the path as it is from the folder of the plan file")
            return nil
        }
    }
}

// MARK: Keys

struct ReleaseKeys: KeyTable {
    static let title = "release"
    static let meaning =
        "The files of a release, and who says so. Signatures are over the lines sorted by path, with two spaces in each."

    let manifest = Key(
        "manifest", .text, presence: .required("write the path of a file in sha256sum's format"),
        "A file in sha256sum's format, by its path from the plan's folder.", example: "\"releases/${to}.sha256\"")
    let signatures = Key(
        "signatures", .list(.text, count: 1...Int.max), default: [],
        "Signatures of that file, as `ssh-keygen -Y sign -n release.v1@lockflight` writes them, by their paths.",
        example: "[\"releases/${to}.sha256.sig\"]")
}

/// Where a plan file says that a manifest is, and its signatures.
struct ReleaseFiles: Sendable {
    var manifest: String
    var signatures: [String]
    var line: Int
}

extension Form where Value == ReleaseFiles {
    /// A path, or `{manifest, signatures}`.
    static var release: Form {
        let path = Form<String>.text
        let mapping = Form<Section<ReleaseKeys>>.mapping(ReleaseKeys())
        return Form(.either([path.type, mapping.type])) { reader, field in
            guard field.isMapping else {
                return path.read(reader, field).map { ReleaseFiles(manifest: $0, signatures: [], line: field.line) }
            }
            guard let own = mapping.read(reader, field), let manifest = own.value(\.manifest) else { return nil }
            return ReleaseFiles(
                manifest: manifest, signatures: own.value(\.signatures), line: own.line(of: \.manifest))
        }
    }
}
