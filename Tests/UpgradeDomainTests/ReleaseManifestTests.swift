import ContentDigest
import Testing
import UpgradeDomain

/// What `sha256sum` writes of a release.
struct ReleaseManifestTests {
    private static let a = String(repeating: "a", count: 64)
    private static let b = String(repeating: "b", count: 64)

    private func problem(_ text: String) -> String? {
        do throws(ReleaseManifestProblem) {
            _ = try ReleaseManifest(reading: text)
            return nil
        } catch {
            return "\(error.line.map { "\($0): " } ?? "")\(error.message)"
        }
    }

    @Test func eachWayToWriteItIsReadAsTheSame() throws {
        let (a, b) = (ReleaseManifestTests.a, ReleaseManifestTests.b)
        let canonical = "\(b)  bin/api\n\(a)  lib/core.so\n"
        for text in [
            canonical, "\(a) *lib/core.so\n\(b) *bin/api\n", "\(a)  ./lib//core.so\n\n\(b.uppercased())  bin/./api",
        ] {
            let manifest = try ReleaseManifest(reading: text)
            #expect(manifest.files == ["bin/api": Digest("sha256:\(b)"), "lib/core.so": Digest("sha256:\(a)")])
            #expect(manifest.text == canonical)
            #expect(manifest.digest == Digest.sha256(of: Array(canonical.utf8)))
        }
        // As sort(1) has it with LC_ALL=C: by bytes, where Swift would see one letter.
        let names = try ReleaseManifest(reading: "\(a)  é\n\(a)  e2\n\(a)  Z\n\(a)  e 1\n").paths
        #expect(names == ["Z", "e 1", "e2", "é"])
    }

    @Test func whatIsWrongIsNamedWithItsLine() {
        let a = ReleaseManifestTests.a
        #expect(problem("\(a)  x\n\(a)  y\n\(a)  ./x\n") == "3: 'x' is listed twice")
        #expect(problem("\(a)  x\n\(a)  ../x\n") == "2: '../x' may lie outside the working directory")
        #expect(problem("\(a)  /etc/x\n") == "1: '/etc/x' may lie outside the working directory")
        #expect(problem("\(a)  a/../../x") == "1: 'a/../../x' may lie outside the working directory")
        #expect(problem("\\\(a)  a\\nb\n") == "1: the name of a file is escaped")
        let control = "1: the name of a file has a control character, or is not UTF-8"
        #expect(problem("\(a)  x\r\n") == control)
        #expect(problem("\(a)  x\u{fffd}\n") == control)
        let format = "it is not in sha256sum's format"
        for line in ["\(a) x", "\(a)\tx", "\(a.dropLast())  x", "\(a)b  x", "SHA256 (x) = \(a)", "\(a)  ", "exit 0"] {
            #expect(problem("\(a)  fine\n\(line)\n") == "2: \(format)", "\(line)")
        }
        #expect(problem("\(a)  ./\n") == "1: the name of a file is empty or too long")
        #expect(problem("\n") == "it lists no file")
    }

    @Test func itIsBounded() throws {
        let a = ReleaseManifestTests.a
        let lines = (0..<ReleaseManifest.mostFiles).map { "\(a)  f\($0)\n" }.joined()
        #expect(try ReleaseManifest(reading: lines).files.count == ReleaseManifest.mostFiles)
        #expect(problem(lines + "\(a)  more\n") == "4097: it lists more than 4096 files")
        let long = String(repeating: "x", count: ReleaseManifest.pathBytes)
        #expect(problem("\(a)  \(long)\n") == nil)
        #expect(problem("\(a)  \(long)x\n") == "1: the name of a file is empty or too long")
        #expect(problem(String(repeating: "\n", count: ReleaseManifest.totalBytes + 1)) == "it has 1048577 bytes")
    }
}
