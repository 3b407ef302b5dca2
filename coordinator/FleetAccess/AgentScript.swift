import ContentDigest
import Foundation
import SafeText
import UpgradeDomain

/// How a script is passed to a host's /bin/sh, independent of the account's login shell.
enum HostShell {
    /// One line that bash, dash, ksh, zsh, fish, csh and tcsh parse the same way: the login shell executes /bin/sh,
    /// which reads its script from standard input byte by byte, so that the bytes after the script stay unread.
    static func line(for script: String) -> String {
        "exec /bin/sh -c 'eval \"$(dd bs=1 count=\(script.utf8.count) 2>/dev/null)\"'"
    }

    /// How many bytes of a host's output are quoted.
    static let saidBytes = 300

    /// What a host printed instead of an answer, as a clause.
    static func said(_ output: [UInt8], _ errors: [UInt8]) -> String {
        let words = [output, errors].flatMap { String(decoding: $0.suffix(saidBytes), as: UTF8.self).lines }
            .map(\.trimmed).filter { !$0.isEmpty }
        return words.isEmpty ? "and the host said nothing" : "and the host said: \(words.joined(separator: "; "))"
    }
}

/// Where agents are stored on a host.
package struct AgentFolder: CustomStringConvertible {
    /// Quoted as a word of a script.
    let word: String
    /// For people.
    package let description: String

    /// - Parameter path: nil for the folder below the login's home.
    package init(_ path: String?) {
        word = path.map(ShellText.word) ?? "\"$HOME/.local/lib/lockflight\""
        description = path ?? "~/.local/lib/lockflight"
    }
}

/// The script that looks for the agent on a host, and its answers; for any POSIX shell.
enum AgentScript {
    /// Marks our line among the output of rc files.
    private static let mark = "lockflight-agent:"

    enum Answer: Equatable {
        /// The agent is running; the bytes that it has already sent.
        case present([UInt8])
        case absent(Absence)
        /// Other accounts can write the agents' folder, so nothing in it was read.
        case exposed(mode: String, owner: String)
    }

    /// The answer of a host that does not have the right agent.
    struct Absence: Equatable {
        /// As `uname -m` prints it.
        var architecture: String
        var hasGzip: Bool
        /// The remains of an interrupted upload, if any.
        var partBytes = 0
        var partDigest = ""
    }

    /// Starts the build for the host's architecture, or reports what the host has.
    ///
    /// Its digest is verified first, unless the file, or the one that it links to, is unchanged since the last time
    /// (inode, size and change time, stored next to it as `.agent-DIGEST.proved`): a digest takes 165 ms of CPU if
    /// `sha256sum` has no hardware support. A file with another digest counts as absent and is uploaded again.
    static func startOrLook(_ builds: [AgentBinary], in folder: AgentFolder) -> String {
        let cases = builds.map { "\($0.architecture)) n=agent-\($0.hexDigest);;" }.joined(separator: " ")
        return """
            d=\(folder.word); a=$(uname -m); case "$a" in \(cases) *) n=;; esac; echo
            if [ -d "$d" ]; then set -- $(ls -ldn "$d/."); m=$1 o=$3
            case "$m" in d????-??-*) ;; *) echo "\(mark) exposed $m $o"; exit;; esac
            if [ "$o" != 0 ] && [ "$o" != "$(id -u)" ]; then echo "\(mark) exposed $m $o"; exit; fi; fi
            f="$d/$n"; if [ -n "$n" ] && [ -x "$f" ]; then
            s=$(stat -L -c '%i %s %z' "$f" 2>/dev/null); k=$(cat "$d/.$n.proved" 2>/dev/null)
            if [ -n "$s" ] && [ "$s" = "$k" ]; then r=present
            elif [ "agent-$(sha256sum < "$f")" = "$n  -" ]; then r=present; (umask 077; echo "$s" > "$d/.$n.proved") 2>/dev/null
            else r=; fi
            if [ -n "$r" ]; then echo "\(mark) present"; exec "$f" serve; fi; fi
            if command -v gzip >/dev/null; then z=gz; else z=raw; fi; p="$d/$n.$z.part"
            if [ -n "$n" ] && [ -f "$p" ]; then q="$(wc -c < "$p") $(sha256sum < "$p")"; else q=0; fi
            echo "\(mark) absent $a $z $q"
            """
    }

    /// The answer of that script; nil while it is incomplete.
    static func answer(in heard: [UInt8]) -> Answer? {
        var rest = heard[...]
        while let end = rest.firstIndex(of: 0x0a) {
            let words = String(decoding: rest[..<end], as: UTF8.self).fields(separatedBy: " ").map(String.init)
            rest = rest[(end + 1)...]
            if words == [mark, "present"] { return .present(Array(rest)) }
            if words.count == 4, words[..<2] == [mark, "exposed"] { return .exposed(mode: words[2], owner: words[3]) }
            guard words.count >= 5, words[..<2] == [mark, "absent"], AgentBinary.isArchitecture(words[2]),
                let count = Int(words[4])
            else { continue }
            return .absent(
                Absence(
                    architecture: words[2], hasGzip: words[3] == "gz", partBytes: count,
                    partDigest: words.count > 5 ? words[5] : ""))
        }
        return nil
    }
}

/// The upload of one build to a host: the bytes that are sent, and the script that stores them.
struct AgentUpload {
    let build: AgentBinary
    /// The bytes that are sent.
    let bytes: [UInt8]
    /// Whether they are compressed.
    let isPacked: Bool
    var folder = AgentFolder(nil)

    private var name: String { "agent-\(build.hexDigest)" }
    /// The file name of an interrupted upload.
    private var partName: String { "\(name).\(isPacked ? "gz" : "raw").part" }

    /// How many bytes need not be sent again, because the remains on the host have the same beginning.
    func offset(after absence: AgentScript.Absence) -> Int {
        guard absence.hasGzip == isPacked, absence.partBytes > 0, absence.partBytes <= bytes.count,
            Digest.sha256(of: Array(bytes[..<absence.partBytes])).hexDigits == absence.partDigest
        else { return 0 }
        return absence.partBytes
    }

    /// Stores the bytes from `offset` on under a unique name, verifies the digest of the whole file, and renames it, so
    /// that the final name only ever has the whole agent. Its last line is `published`, `lost` (the remains on the host
    /// are gone), `noexec` (nothing can be executed there), or `failed`. Its first line ends the output of rc files.
    ///
    /// If the connection ends early, the received bytes are kept for the next upload, and removed after a day.
    func script(from offset: Int) -> String {
        let own = "\(name).\(UUID().uuidString).part"
        let takeUp = "mv \(partName) \(own) && [ $(wc -c < \(own)) -eq \(offset) ]"
        let unpack = isPacked ? "gzip -dc < \(own) > \(own).whole" : "mv \(own) \(own).whole"
        return """
            echo; umask 077; d=\(folder.word); mkdir -p "$d" && cd "$d" || { echo failed; exit; }
            find . -name 'agent-*.part*' -mtime +1 -exec rm -f {} +
            \(offset == 0 ? "" : "{ \(takeUp); } 2>/dev/null || { rm -f \(own); echo lost; exit; }")
            cat >> \(own) || { rm -f \(own); echo failed; exit; }
            if [ $(wc -c < \(own)) -lt \(bytes.count) ]; then mv \(own) \(partName); echo failed; exit; fi
            \(unpack) && echo '\(build.hexDigest)  \(own).whole' | sha256sum -c - >&2 && chmod 700 \(own).whole && r=stored || r=failed
            if [ $r = stored ] && [ ! -x \(own).whole ]; then r=noexec; fi
            if [ $r = stored ]; then mv \(own).whole \(name) && r=published || r=failed; fi
            rm -f \(own) \(own).whole; echo $r
            """
    }
}
