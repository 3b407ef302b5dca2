import RunViews
import Testing

struct SaidOnceTests {
    @Test func identicalTextOfSeveralHostsIsPrintedOnce() {
        var said = SaidOnce()
        #expect(said.words("core-1 has no agent", of: "core-1") == "core-1 has no agent")
        #expect(said.words("core-2 has no agent", of: "core-2") == "same as core-1")
        #expect(said.words("core-3 has no agent", of: "core-3/core") == "same as core-1")
        #expect(said.words("core-3 has no disk", of: "core-3") == "core-3 has no disk")
    }

    @Test func textThatOnlyLooksTheSameIsPrinted() {
        var said = SaidOnce()
        #expect(said.words("not healthy after 1 s", of: "1") == "not healthy after 1 s")
        #expect(said.words("not healthy after 2 s", of: "2") == "not healthy after 2 s")
        // The same host again.
        #expect(said.words("not healthy after 2 s", of: "2") == "not healthy after 2 s")
    }
}
