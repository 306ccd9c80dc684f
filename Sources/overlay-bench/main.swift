// One role of a measurement or test of the overlay's data path: `overlay-bench ROLE …`, each in its own network
// namespace. Tests/OverlayDataplaneTests/pair.sh puts them together. The keys are fixed: nothing here is for real use.

import Glibc

let arguments = Array(CommandLine.arguments.dropFirst())
signal(SIGPIPE, SIG_IGN)

func argument(_ index: Int) -> String {
    guard index < arguments.count else {
        say("usage: overlay-bench node|sink|source|ping|capture|marker …")
        exit(2)
    }
    return arguments[index]
}

func number(_ index: Int) -> Int { Int(argument(index)) ?? 0 }

switch argument(0) {
case "node":
    runNode(
        isFirst: argument(1) == "a", bind: argument(2), peer: argument(3), tap: argument(4), mtu: number(5),
        allowsAES: argument(6) != "chacha", until: argument(7))
case "sink": runSink(port: UInt16(number(1)))
case "source": runSource(address: argument(1), port: UInt16(number(2)), seconds: number(3))
case "ping": runPing(address: argument(1), count: number(2))
case "capture": runCapture(marker: argument(1), until: argument(2))
case "marker": sendMarker(address: argument(1), port: UInt16(number(2)), marker: argument(3))
default: _ = argument(.max)
}
