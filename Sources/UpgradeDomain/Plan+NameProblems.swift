extension Plan {
    /// The names in a plan and its hosts that are no longer allowed, because an older build stored them. They are
    /// shown, held and rolled back, but the plan can no longer be approved or started.
    package func nameProblems(over hosts: [Host]) -> [String] {
        var problems: [String] = []
        func check(_ name: String, _ kind: String, _ grammar: NameGrammar) {
            if !grammar.accepts(name) { problems.append("'\(name)' is no \(kind) name; \(grammar.words)") }
        }
        check(name, "plan", .word)
        for surface in evidence + [representativePath] { check(surface.name.rawValue, "surface", .word) }
        for layer in layers {
            check(layer.name.rawValue, "layer", .machine)
            for step in layer.steps { check(step.name.rawValue, "step", .word) }
            for component in layer.components { check(component.name.rawValue, "component", .word) }
        }
        for host in hosts {
            check(host.name.rawValue, "host", .machine)
            if !host.user.isEmpty { check(host.user, "user", .login) }
            if HostAddress(host.address) == nil {
                problems.append(
                    "'\(host.address)' of host \(host.name) is not a valid address; \(HostAddress.remedy(for: host.address))"
                )
            }
            if let alias = host.ssh?.alias, !HostAddress.isHarmless(alias) {
                problems.append("'\(alias)' of host \(host.name) is not a valid name of ssh_config")
            }
        }
        return problems
    }
}
