import UpgradeDomain

/// Why a link is not valid, or could not be inspected.
struct LinkFailure: Error, Hashable {
    var isUnknown: Bool
    var words: String

    init(isUnknown: Bool, _ words: String) {
        self.isUnknown = isUnknown
        self.words = words
    }
}

extension EvidenceItem {
    static func holds(_ link: RuntimeLink, _ value: String) -> EvidenceItem {
        EvidenceItem(key: link.description, value: value, health: .healthy)
    }

    static func fails(_ link: RuntimeLink, _ value: String) -> EvidenceItem {
        EvidenceItem(key: link.description, value: value, health: .unhealthy)
    }

    static func unknown(_ link: RuntimeLink, _ value: String) -> EvidenceItem {
        EvidenceItem(key: link.description, value: value, health: .unknown)
    }

    init(_ link: RuntimeLink, _ failure: LinkFailure) {
        self.init(
            key: link.description, value: failure.words, health: failure.isUnknown ? .unknown : .unhealthy)
    }
}
