import Approvals
import ArgumentParser
import ContentDigest
import FleetAccess
import OperatorCommands
import SafeText
import UpgradeDomain

struct ReleaseSign: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Sign a release manifest, as sha256sum writes it.",
        discussion: """
            What is signed is the list in one spelling: sorted by path, two spaces between digest and path. The file may have
            any order. With --key it writes FILE.sig; without, it prints that text and nothing else, to be signed elsewhere:

              lockflight release sign 1.5.0.sha256 > signed.txt
              ssh-keygen -Y sign -n release.v1@lockflight -f KEY signed.txt

            Neither needs a ledger. Name both files in the plan: release: {manifest: FILE, signatures: [FILE.sig]}
            Example: lockflight release sign 1.5.0.sha256 --key ~/.ssh/id_ed25519
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The manifest.", completion: .file()) var file: String
    @OptionGroup var signing: KeyOption
    @Option(name: .long, help: "Where to write the signature. (default: FILE.sig)", completion: .file())
    var out: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let text = try context.readFile(file, limitBytes: ReleaseManifest.totalBytes)
        let manifest: ReleaseManifest
        do throws(ReleaseManifestProblem) {
            manifest = try ReleaseManifest(reading: text)
        } catch {
            throw CommandError(
                .refused, "\(file)\(error.line.map { ", line \($0)" } ?? ""): \(error.message)",
                consequence: "Nothing was signed: \(error.remedy).")
        }
        let document = Signed(file: file, files: manifest.files.count, digest: manifest.digest)
        guard let key = signing.key else {
            var result = CommandResult(lines: [], document: document)
            result.exactText = manifest.text
            return result
        }
        let armored = try await SignatureProgram(environment: context.environment).sign(
            manifest.text, namespace: Purpose.release.namespace, key: key)
        let place = out ?? "\(file).sig"
        try context.write(armored, to: place, replacing: true)
        return CommandResult(
            lines: [
                "\(file) lists \(counted(manifest.files.count, "file")), digest \(manifest.digest)",
                "its signature is in \(place)",
            ], document: document,
            remarks: ["name both in the plan: release: {manifest: \(file), signatures: [\(place)]}"])
    }

    private struct Signed: Encodable {
        var file: String
        var files: Int
        var digest: Digest
    }
}
