import Foundation
import LabFleet
import Subprocess
import SystemPackage
import Testing
import UpgradeDomain

/// The change record of a run that was held and rolled back, as text and as a page in a real browser.
struct ReportTests {
    static let browser = ["/usr/bin/chromium", "/usr/bin/google-chrome"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static let dark = ["--blink-settings=preferredColorScheme=0"]

    /// A lab whose run was held at core and rolled back.
    private func withRun(_ body: (FleetFixture) async throws -> Void) async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-1", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "<b>not</b> | today")
            try await body(fleet)
        }
    }

    @Test func theRecordSaysWhoApprovedWhatHappenedAndWhatDiffers() async throws {
        try await withRun { fleet in
            let report = try await fleet.expect(.verified, "report").output
            for part in [
                "# lab-1.5.0: 1.4.0 to 1.5.0", "**rolled back: verified**", "core-owner", "held: evidence-regressed",
                "core-1/core", "&lt;b>not&lt;/b> &#124; today", "services store: up -> down",
                "none: every item is the same as before",
            ] {
                #expect(report.contains(part), "not in the record: \(part)\n\(report)")
            }
            let page = "\(fleet.folder)/report.html"
            try await fleet.expect(.verified, "report", "--format", "html", "--output", page)
            let html = try String(contentsOfFile: page, encoding: .utf8)
            #expect(html.contains("&lt;b&gt;not&lt;/b&gt; | today"))
            #expect(!html.contains("http://") && !html.contains("https://example"), "the page loads external content")
        }
    }

    /// In a browser only tables may be wider than the window, and the two colour schemes differ.
    @Test(.enabled(if: browser != nil, "needs chromium"))
    func thePageFitsAPhoneAndADesk() async throws {
        try await withRun { fleet in
            let page = "\(fleet.folder)/report.html"
            try await fleet.expect(.verified, "report", "--format", "html", "--output", page)
            let probe = """
                <script>addEventListener("load",()=>{document.title=[document.documentElement.scrollWidth,innerWidth,\
                document.querySelectorAll("svg rect").length,\
                getComputedStyle(document.body).backgroundColor].join(";")})</script></body>
                """
            let text = try String(contentsOfFile: page, encoding: .utf8)
            // The page's policy blocks every script, so a copy without the policy is measured.
            let (tampered, measured) = (page + ".tampered.html", page + ".measured.html")
            try text.replacingOccurrences(of: "</body>", with: probe)
                .write(toFile: tampered, atomically: true, encoding: .utf8)
            #expect(try await layout(of: tampered, fleet, width: 1_400, []).count == 1)
            try text.replacing(/<meta http-equiv="Content-Security-Policy"[^>]*>/, with: "")
                .replacingOccurrences(of: "</body>", with: probe)
                .write(toFile: measured, atomically: true, encoding: .utf8)
            for width in [360, 1_400] {
                let light = try await layout(of: measured, fleet, width: width, [])
                #expect(light.count == 4, "\(light)")
                let (inside, window) = (try #require(Int(light[0])), try #require(Int(light[1])))
                #expect(inside <= window, "the page is \(inside) wide in a window of \(window)")
                #expect(try #require(Int(light[2])) >= 4)
                let dark = try await layout(of: measured, fleet, width: width, ReportTests.dark)
                #expect(light[3] == "rgb(255, 255, 255)")
                #expect(dark[3] == "rgb(20, 23, 26)")
                let lightShot = try await screenshot(of: page, fleet, width: width, [], "light")
                let darkShot = try await screenshot(of: page, fleet, width: width, ReportTests.dark, "dark")
                #expect(lightShot != darkShot, "both schemes look the same")
            }
        }
    }

    private func layout(
        of page: String, _ fleet: FleetFixture, width: Int, _ options: [String]
    ) async throws -> [String] {
        let page = try await browse(page, fleet, width: width, options + ["--dump-dom"])
        let title = page.split(separator: "<title>").dropFirst().first?.split(separator: "</title>").first
        return title.map { $0.split(separator: ";").map(String.init) } ?? []
    }

    /// A PNG screenshot of the requested width; saved in $LOCKFLIGHT_SCREENSHOTS if that is set.
    private func screenshot(
        of page: String, _ fleet: FleetFixture, width: Int, _ options: [String], _ scheme: String
    ) async throws -> Data {
        let folder = ProcessInfo.processInfo.environment["LOCKFLIGHT_SCREENSHOTS"] ?? fleet.folder
        let file = "\(folder)/report-\(width)-\(scheme).png"
        _ = try await browse(page, fleet, width: width, options + ["--screenshot=\(file)"])
        let image = try Data(contentsOf: URL(fileURLWithPath: file))
        // The IHDR chunk: width in bytes 16 to 19, big-endian (PNG, 11.2.2).
        #expect(image.dropFirst(16).prefix(4).reduce(0) { $0 << 8 | Int($1) } == width)
        return image
    }

    private func browse(
        _ page: String, _ fleet: FleetFixture, width: Int, _ options: [String]
    ) async throws -> String {
        let arguments =
            ["60", ReportTests.browser ?? "", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            + options + ["--user-data-dir=\(fleet.folder)/browser", "--window-size=\(width),900", "file://\(page)"]
        let record = try await Subprocess.run(
            .name("timeout"), arguments: Arguments(arguments), output: .string(limit: 4_194_304), error: .discarded)
        return record.standardOutput
    }
}
