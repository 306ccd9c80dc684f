import Foundation

/// The process's terminal.
enum Console {
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Characters in a line; nil where nobody looks.
    static var width: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    static func line(_ text: String) { write(text + "\n", to: .standardOutput) }
    static func error(_ text: String) { write(text + "\n", to: .standardError) }
    static func write(bytes: some Sequence<UInt8>, toError: Bool = false) {
        write(Data(bytes), to: toError ? .standardError : .standardOutput)
    }

    /// Replaces the terminal's current line.
    static func status(_ text: String) { write("\r\u{1b}[K" + text, to: .standardOutput) }

    /// A line of standard input; on a terminal it is asked for and not shown.
    static func secret(_ prompt: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else { return (readLine() ?? "").trimmingCharacters(in: .whitespaces) }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw CommandFailure("cannot use the terminal") }
        let before = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        defer {
            var before = before
            tcsetattr(STDIN_FILENO, TCSANOW, &before)
            error("")
        }
        write(prompt, to: .standardError)
        return (readLine() ?? "").trimmingCharacters(in: .whitespaces)
    }

    /// Asks on the terminal.
    ///
    /// - Throws: ``CommandFailure`` where nobody can answer.
    static func confirms(_ prompt: String) throws -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure("nobody can be asked, as standard input is no terminal: say --yes")
        }
        write(prompt, to: .standardError)
        return ["y", "yes"].contains((readLine() ?? "").trimmingCharacters(in: .whitespaces).lowercased())
    }

    private static func write(_ text: String, to handle: FileHandle) { write(Data(text.utf8), to: handle) }

    private static func write(_ data: Data, to handle: FileHandle) {
        do {
            try handle.write(contentsOf: data)
        } catch {
            // The reader went away (`| head`): nothing is left to say.
            exit(0)
        }
    }
}
