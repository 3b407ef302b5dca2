import Foundation
import Glibc
import Subprocess
import Testing

/// A run that the last release left held goes on in this build, over the hosts as that release left them.
/// Tests/Golden describes what is kept of them.
struct GoldenRunTests {
    static let isRoot = getuid() == 0
    private static let archive = FleetFixture.repository + "/Tests/Golden/0.1.0/held-fleet.tar.gz"

    /// Runs a command in its own network, process tree and mount namespace, because the record names addresses and
    /// paths: $1 is the archive, $2 the test's own folder, $3 the command.
    private static let story = """
        set -eu
        ip link set lo up
        mkdir -p /tmp/golden /run/sshd
        mount --bind "$2" /tmp/golden
        cd /tmp/golden
        tar -xzf "$1"
        lockflight=$3
        export LOCKFLIGHT_LEDGER=/tmp/golden/ledger.sqlite
        for host in lab/hosts/*; do /usr/sbin/sshd -f "/tmp/golden/$host/sshd/sshd_config"; done
        deploy() { (cd "lab/hosts/$1/stack" && bash scripts/redeploy-host-stack.sh --layer "$2" --to "$3"); }
        deploy data-1 data 1.5.0; deploy edge-1 edge 1.4.0
        expect() { # EXIT COMMAND...
            local wanted=$1 code=0
            shift
            "$lockflight" "$@" || code=$?
            [ "$code" = "$wanted" ] || { echo "lockflight $*: exit $code, not $wanted" >&2; exit 1; }
        }
        all_run() { # VERSION
            for host in 11 12 13; do
                curl -fsS "http://127.78.9.$host:8101/version" | grep -qF "\"$1\"" || { echo "127.78.9.$host does not run $1" >&2; exit 1; }
            done
        }
        expect 0 status
        expect 0 ledger witness
        "$lockflight" lab mend core-1 --folder lab
        expect 0 recover rerun core-1 --sign-off core-owner --reason 'the release is whole now'
        expect 0 rollout resume
        all_run 1.5.0
        expect 0 ledger witness
        printf '#!/bin/sh\\nexit 66\\n' >lab/hosts/core-1/stack/scripts/rollback-host-stack.sh
        expect 11 rollback --all --as data-owner --as core-owner --as edge-owner --reason 'as a test'
        all_run 1.4.0
        expect 0 rollout finalize
        expect 0 ledger verify
        """

    @Test(.enabled(if: isRoot))
    func aRunThatTheLastReleaseHeldGoesOnAndIsTakenBack() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-golden-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer {
            try? FileManager.default.removeItem(atPath: folder)
            rmdir("/tmp/golden")
        }
        let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        let record = try await Subprocess.run(
            .name("unshare"),
            arguments: Arguments(
                namespaces + [
                    "bash", "-c", GoldenRunTests.story, "story", GoldenRunTests.archive, folder,
                    FleetFixture.executable,
                ]),
            output: .string(limit: 1_048_576), error: .string(limit: 1_048_576))
        let said = "\(record.standardOutput)\n\(record.standardError)"
        #expect(record.terminationStatus.isSuccess, "\(said)")
        #expect(said.contains("rolled back"), "\(said)")
    }
}
