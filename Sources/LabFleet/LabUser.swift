import Foundation

/// The user that runs the lab, who is also the user that logs in.
enum LabUser {
    static var name: String { NSUserName() }
}
