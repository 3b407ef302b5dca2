import CLibSSH2
import NIOCore
import NIOPosix
import Crypto
