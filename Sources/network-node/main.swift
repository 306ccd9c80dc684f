// A node's network without the rest of a node, driven line by line: what the two-node test runs in each namespace.
import Glibc
import NodeNetwork

guard let driver = Driver(arguments: Array(CommandLine.arguments.dropFirst())) else {
    print("usage: network-node NODE UNDERLAY-ADDRESS PORT RUN-FOLDER RESOLV-CONF KEY-BYTE")
    exit(2)
}
await driver.run()
