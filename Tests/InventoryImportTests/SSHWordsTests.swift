import Testing

@testable import InventoryImport

/// The words that Ansible gives to `ssh`.
struct SSHWordsTests {
    private func hop(_ text: String, identityFile: String? = nil) -> SSHHop {
        var hop = SSHHop(text)
        hop.identityFile = identityFile
        return hop
    }

    @Test(arguments: [
        ("-J a", ["a"]), ("-Ja,b@c:22", ["a", "b@c:22"]), ("-o ProxyJump=a", ["a"]), ("-oProxyJump=a", ["a"]),
        ("-o 'ProxyJump a'", ["a"]),
        ("-o ProxyJump=none", []), ("-C -o ControlMaster=auto", []),
        ("-o ProxyCommand='ssh -W %h:%p -q b@a'", ["b@a"]),
        ("-o ProxyCommand=\"/usr/bin/ssh -q a -W %h:%p -p 2200 -l b\"", ["b@a:2200"]),
        ("-o ProxyCommand='ssh -W [%h]:%p -J z a'", ["z", "a"]), ("-o 'proxycommand=none' -J a", []),
    ])
    func jumpsAreFound(_ text: String, _ way: [String]) {
        let route = SSHWords(text).route
        #expect(route.way == way.map { hop($0) } && route.command == nil, "\(route)")
    }

    @Test(arguments: [
        "nc -X connect -x proxy:3128 %h %p", "ssh a nc %h %p", "ssh -W %h:22 a", "ssh -W %h:%p $BASTION",
        "ssh -W %h:%p -o ProxyCommand='nc x' a",
    ])
    func anyOtherCommandStaysOne(_ command: String) {
        let route = SSHWords("-o \"ProxyCommand=\(command)\"").route
        #expect(route.way == [] && route.command == command)
    }

    @Test func theKeyOfAJumpHostIsKept() {
        let route = SSHWords(
            #"-o ProxyCommand="ssh -i '~/.ssh/jump key' -W %h:%p ops@a" -i ~/.ssh/x -p 22 -o User=u -o user=v"#)
        #expect(route.route.way == [hop("ops@a", identityFile: "~/.ssh/jump key")])
        #expect(
            route.options["identityfile"] == "~/.ssh/x" && route.options["port"] == "22" && route.options["user"] == "u"
        )
        #expect(route.names == ["ProxyCommand", "IdentityFile", "Port", "User"])
    }

    @Test(arguments: [
        ("a 'b c' \"d \\\" e\" f\\ g", ["a", "b c", "d \" e", "f g"]), ("''", [""]), ("  ", []), ("a'b'\"c\"", ["abc"]),
        ("'a\\b'", ["a\\b"]),
    ])
    func wordsAreSplitAsAShellDoes(_ text: String, _ words: [String]) { #expect(SSHWords.split(text) == words) }

    @Test(arguments: [
        ("db*", "db_1", true), ("db*", "adb", false), ("*", "", true), ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c", false), ("ab", "ab", true),
        ("ab", "abc", false), ("a*a", "a", false), ("*x*", "axb", true),
    ])
    func aStarStandsForAnyText(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(NamePattern(pattern).matches(name) == matches)
    }
}
