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
