import Testing
import UpgradeDomain

struct ServiceURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080), ("https://a.example", "a.example", nil),
        ("HTTP://[fd00::1]:81/x", "fd00::1", 81), ("http://localhost/a", "localhost", nil),
    ])
    func aURLHasAHostAndAPort(text: String, host: String, port: Int?) throws {
        let url = try ServiceURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(ServiceURL.baseFault(in: text) == nil)
    }

    @Test(arguments: [
        ("ftp://x", "does not begin with"), ("127.0.0.1", "does not begin with"), ("http://", "has no host"),
        ("http://:80", "has no host"), ("http://u:p@x", "has a user name"), ("http://x/a#b", "part after '#'"),
        ("http://x:99999", "the port '99999'"), ("http://x:0", "the port '0'"), ("http://x:", "no port after ':'"),
        ("http://x:8o", "the port '8o'"), ("http://fd00::1:8080", "IPv6 address without brackets"),
        ("http://[fd00::1:8080", "bracket that is not closed"), ("http://[x]:80", "the host 'x'"),
        ("http://[127.0.0.1]", "the host '127.0.0.1'"), ("http://a,b", "the host 'a,b'"), ("http://a b", "a space"),
    ])
    func whatIsWrongWithAURLIsSaid(text: String, words: String) {
        #expect(ServiceURL.fault(in: text)?.words.contains(words) == true)
    }

    @Test func aBaseURLHasNoQueryAndNoFinalSlash() {
        #expect(ServiceURL.fault(in: "http://x/?q") == nil)
        #expect(ServiceURL.baseFault(in: "http://x?q")?.words == "has a query")
        #expect(ServiceURL.baseFault(in: "http://x/")?.words == "has a final slash")
    }

    @Test func anIPv6AddressIsInBracketsOnce() {
        #expect(ServiceURL.address("fd00::1", in: "http://${address}:80") == "[fd00::1]")
        #expect(ServiceURL.address("fd00::1", in: "http://[${address}]:80") == "fd00::1")
        #expect(ServiceURL.address("fe80::1%eth0", in: "http://${address}") == "[fe80::1%25eth0]")
        #expect(ServiceURL.address("10.0.0.1", in: "http://${address}") == "10.0.0.1")
        #expect(ServiceURL.address("a.example", in: "http://${address}") == "a.example")
    }
}
