/// The release version of this source. Every program prints it, and it is recorded with each driver of a run.
package enum LockflightVersion {
    package static let current = "0.1.0"
}
