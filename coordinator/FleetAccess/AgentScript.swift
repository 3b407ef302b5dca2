import ContentDigest
import Foundation
import SafeText
import UpgradeDomain

/// How a host's /bin/sh gets a script, whatever the account's own shell is.
enum HostShell {
    /// One line that bash, dash, ksh, zsh, fish, csh and tcsh read alike: the account's shell hands over to /bin/sh, which takes its
    /// script from standard input, byte by byte, so that what follows the script there is left for it to read.
    static func line(for script: String) -> String {
        "exec /bin/sh -c 'eval \"$(dd bs=1 count=\(script.utf8.count) 2>/dev/null)\"'"
    }

    /// How many bytes of a host's own words are passed on.
    static let saidBytes = 300

    /// What a host said instead of an answer, as a clause.
    static func said(_ output: [UInt8], _ errors: [UInt8]) -> String {
        let words = [output, errors].flatMap { String(decoding: $0.suffix(saidBytes), as: UTF8.self).lines }
            .map(\.trimmed).filter { !$0.isEmpty }
        return words.isEmpty ? "and the host said nothing" : "and the host said: \(words.joined(separator: "; "))"
    }
}

/// Where agents are kept on a host.
package struct AgentFolder: CustomStringConvertible {
    /// As a word of a script.
    let word: String
    /// For people.
    package let description: String

    /// - Parameter path: nil for the folder below the login's home.
    package init(_ path: String?) {
        word = path.map(ShellText.word) ?? "\"$HOME/.local/lib/lockflight\""
        description = path ?? "~/.local/lib/lockflight"
    }
}

/// What a host's shell is asked about the agent, and its answers; for any POSIX shell.
enum AgentScript {
    /// Begins the line that is ours among what rc files print.
    private static let mark = "lockflight-agent:"

    enum Answer: Equatable {
        /// The agent runs from now on; what it has already said.
        case present([UInt8])
        case absent(Absence)
        /// Others than the account may write the agents' folder, so nothing in it was looked at.
        case exposed(mode: String, owner: String)
    }

    /// What a host says that has no fitting agent.
    struct Absence: Equatable {
        /// As `uname -m` prints it.
        var architecture: String
        var hasGzip: Bool
        /// What an interrupted upload left, if anything.
        var partBytes = 0
        var partDigest = ""
    }

    /// Starts the build that fits the host, or says what the host is.
    ///
    /// Its bytes are digested before, unless nothing has touched the file, or the one that it links to, since they were last (inode,
    /// size, change time, kept beside it as `.agent-DIGEST.proved`): a digest takes 165 ms of CPU, where `sha256sum` is not helped by the processor. What has another
    /// digest counts as absent and is brought again.
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

    /// The answer to that; nil while it is not complete.
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

/// The way of one build to a host: its bytes as they are sent, and what the host does with them.
struct AgentUpload {
    let build: AgentBinary
    /// What is sent.
    let bytes: [UInt8]
    /// Whether that is compressed.
    let isPacked: Bool
    var folder = AgentFolder(nil)

    private var name: String { "agent-\(build.hexDigest)" }
    /// What an interrupted upload is kept as.
    private var partName: String { "\(name).\(isPacked ? "gz" : "raw").part" }

    /// How many bytes need not be sent again, because what is left there begins the same.
    func offset(after absence: AgentScript.Absence) -> Int {
        guard absence.hasGzip == isPacked, absence.partBytes > 0, absence.partBytes <= bytes.count,
            Digest.sha256(of: Array(bytes[..<absence.partBytes])).hexDigits == absence.partDigest
        else { return 0 }
        return absence.partBytes
    }

    /// Takes the bytes from `offset` on under a name of its own, proves the digest of the whole, and renames, so that the final
    /// name only ever holds the whole agent. Its last line is `published`, `lost` (what was left there is gone), `noexec` (nothing may
    /// be executed there), or `failed`; the first one ends what an rc file may have printed.
    ///
    /// When the connection ends early, what has come is kept for the next upload; what nobody takes up is removed after a day.
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
