import ClusterModel
import Compose
import Testing

struct NoSuchFile: Error, CustomStringConvertible {
    var description: String { "no such file" }
}

/// Loads YAML texts as the files `compose.yml`, `second.yml`, ….
func load(
    _ texts: String..., stack: String? = "app", environment: [String: String] = [:], files: [String: String] = [:]
) throws(ComposeError) -> StackPlan {
    try loader(stack: stack, environment: environment, files: files).load(composeFiles(texts))
}

func composeFiles(_ texts: [String]) -> [ComposeFile] {
    zip(["compose.yml", "second.yml", "third.yml"], texts).map { ComposeFile(name: $0, bytes: Array($1.utf8)) }
}

func loader(
    stack: String? = "app", environment: [String: String] = [:], files: [String: String] = [:]
) -> ComposeLoader {
    ComposeLoader(stack: stack, environment: environment, folder: "/srv/stack") { path in
        guard let text = files[path] else { throw NoSuchFile() }
        return Array(text.utf8)
    }
}

/// The one service `web` whose settings, indented by four, are these lines.
func web(
    _ lines: String, environment: [String: String] = [:], files: [String: String] = [:], rest: String = ""
) throws -> ServicePlan {
    let plan = try load(webFile(lines) + rest, environment: environment, files: files)
    return try #require(plan.services.first)
}

func webFile(_ lines: String) -> String {
    let body = lines.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 + "\n" }.joined()
    return "services:\n  web:\n    image: web:1\n" + body
}

/// What is wrong with the files, as it is printed.
func fault(
    _ texts: String..., stack: String? = "app", environment: [String: String] = [:], files: [String: String] = [:]
) -> String {
    do throws(ComposeError) {
        _ = try loader(stack: stack, environment: environment, files: files).load(composeFiles(texts))
        return "no error"
    } catch {
        return error.description
    }
}

func warnings(_ text: String, environment: [String: String] = [:]) throws -> [String] {
    try load(text, environment: environment).warnings.map(\.description)
}
