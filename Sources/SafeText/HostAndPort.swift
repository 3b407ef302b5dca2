extension String {
    /// The address as it is written before a port or in a URL: an IPv6 address is in brackets.
    package var bracketed: String { utf8.contains(0x3a) ? "[\(self)]" : self }
}
