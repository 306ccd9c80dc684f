import Compose
import Testing

/// What is refused, with file, line and column.
@Suite struct ErrorTests {
    @Test(arguments: [
        ("services:\n  web:\n   image: [a", "compose.yml:4:1: not YAML: did not find expected ',' or ']'"),
        ("services:\n\tweb: 1", "compose.yml:2:1: not YAML: found character that cannot start any token"),
        ("a: 1\n---\nb: 2", "compose.yml:2:1: not YAML: but found another document"),
        ("a: *none", "compose.yml:1:4: not YAML: found undefined alias"),
        ("services:\n  web: {image: a}\n  web: {image: b}", "compose.yml:2:3: the key \"web\" stands twice in one map"),
        ("- a", "compose.yml:1:1: the file must be a map of keys, not a list"),
        ("services: [a]", "compose.yml:1:11: services must be a map of keys, not a list"),
        ("services:\n  web: !custom {image: a}", "compose.yml:2:8: the tag !custom is not supported here"),
        ("services:\n  web:\n    <<: text\n    image: a", "compose.yml:3:9: << must name a map or a list of maps"),
    ])
    func malformedFilesAreRefused(text: String, message: String) {
        #expect(fault(text).hasPrefix(message), "\(fault(text))")
    }

    @Test(arguments: [
        ("build: .", ""),
        ("ports: [\"70000:80\"]", "compose.yml:4:13: services.web.ports[0] must be [[ADDRESS:]PUBLISHED:]TARGET"),
        ("ports: [\"80-81:80\"]", "compose.yml:4:13: services.web.ports[0] has ranges of 2 published and 1 target"),
        ("ports: [\"80:80/icmp\"]", "compose.yml:4:13: services.web.ports[0] has the protocol \"icmp\""),
        ("ports: [\"x:80:80\"]", "compose.yml:4:13: services.web.ports[0] has the address \"x\""),
        ("ports: [\"80:80\", \"80:81\"]", "compose.yml:4:22: services.web.ports[1] publishes 80/tcp a second time"),
        ("ports:\n- published: 80", "compose.yml:5:7: services.web.ports[0] has no target"),
        (
            "ports:\n- {target: 0}",
            "compose.yml:5:16: services.web.ports[0].target must be a whole number from 1 to 65535"
        ),
        ("volumes: [data:/data]", "compose.yml:4:15: services.web.volumes[0] names the volume \"data\", which is not"),
        ("volumes: [/data, /data]", "compose.yml:4:22: services.web.volumes[1] mounts a second thing at /data"),
        ("volumes: [.:data]", "compose.yml:4:15: services.web.volumes[0] \"data\" is not an absolute path"),
        ("networks: [back]", "compose.yml:4:16: services.web.networks[0]: the network \"back\" is not declared"),
        ("networks: {back: }", "compose.yml:4:16: services.web.networks.back: the network \"back\" is not declared"),
        ("secrets: [key]", "compose.yml:4:15: services.web.secrets[0] names the secret \"key\", which is not declared"),
        ("configs: [{source: key}]", "compose.yml:4:24: services.web.configs[0].source names the config \"key\""),
        ("deploy: {replicas: many}", "compose.yml:4:24: services.web.deploy.replicas must be a whole number from 0"),
        ("deploy: {mode: all}", "compose.yml:4:20: services.web.deploy.mode must be one of replicated, global"),
        ("deploy: {mode: global, replicas: 2}", "compose.yml:4:38: services.web.deploy.replicas can only be used with"),
        (
            "deploy: {mode: replicated-job}",
            "compose.yml:4:20: services.web.deploy.mode replicated-job is not supported"
        ),
        (
            "deploy: {placement: {constraints: [node=foo]}}",
            "compose.yml:4:40: services.web.deploy.placement.constraints[0]: constraint \"node=foo\" has no operator"
        ),
        (
            "deploy: {resources: {limits: {memory: lots}}}",
            "compose.yml:4:43: services.web.deploy.resources.limits.memory"
        ),
        (
            "deploy: {update_config: {order: both}}",
            "compose.yml:4:37: services.web.deploy.update_config.order must be one"
        ),
        ("deploy: {update_config: {max_failure_ratio: 2}}", "compose.yml:4:49: services.web.deploy.update_config.max_"),
        ("deploy: text", "compose.yml:4:13: services.web.deploy must be a map of keys, not text"),
        ("healthcheck: {test: [curl, x]}", "compose.yml:4:25: services.web.healthcheck.test must begin with NONE, CMD"),
        ("healthcheck: {interval: 10}", "compose.yml:4:29: services.web.healthcheck.interval must be a duration"),
        ("command: \"a 'b\"", "compose.yml:4:14: services.web.command has a quote that is not closed: a 'b"),
        ("restart: sometimes", "compose.yml:4:14: services.web.restart must be one of no, always"),
        ("tty: maybe", "compose.yml:4:10: services.web.tty must be true or false, not \"maybe\""),
        ("dns: [resolver]", "compose.yml:4:11: services.web.dns[0] \"resolver\" is not an IP address"),
        ("extra_hosts: [name]", "compose.yml:4:19: services.web.extra_hosts[0] must be NAME:ADDRESS"),
        ("ulimits: {nofile: {soft: 1}}", "compose.yml:4:23: services.web.ulimits.nofile needs both soft and hard"),
        ("env_file: none.env", "compose.yml:4:15: services.web.env_file names none.env, which cannot be read: no such"),
        ("hostname: ${NAME:?say it}", "compose.yml:4:15: services.web.hostname needs the variable NAME: say it"),
        ("hostname: a$", "compose.yml:4:15: services.web.hostname has a $ that begins no variable"),
    ])
    func malformedValuesAreRefusedWithTheirPlace(lines: String, message: String) {
        let found = fault(webFile(lines))
        #expect(message.isEmpty ? found == "no error" : found.hasPrefix(message), "\(found)")
    }

    @Test(arguments: [
        ("services: {web: {}}", "compose.yml:1:12: services.web.image is missing; every service needs one"),
        ("services: {web: {build: .}}", "compose.yml:1:12: services.web.image is missing; build is not supported"),
        ("services: {a.b: {image: a}}", "compose.yml:1:12: services.a.b: \"app_a.b\" is not a service's name"),
        ("services: {web: {image: \"a b\"}}", "compose.yml:1:25: services.web.image \"a b\" is not an image's name"),
        ("secrets: {k: {}}", "compose.yml:1:11: secrets.k has no content: write file"),
        ("secrets: {k: {file: k.txt}}", "compose.yml:1:21: secrets.k.file names k.txt, which cannot be read"),
        ("secrets: {k: {environment: K}}", "compose.yml:1:28: secrets.k.environment names K, which is not set"),
        ("configs: {k: {content: \"\"}}", "compose.yml:1:11: configs.k has 0 bytes: a config has 1 to"),
        ("configs: {k: {content: a, environment: B}}", "compose.yml:1:14: configs.k has more than one of file"),
        (
            "networks: {n: {ipam: {config: [{subnet: ten}]}}}",
            "compose.yml:1:41: networks.n.ipam.config[0].subnet \"ten\""
        ),
        ("networks: {n: {name: \"a b\"}}", "compose.yml:1:22: networks.n: \"a b\" is not a network's name"),
    ])
    func malformedObjectsAreRefusedWithTheirPlace(text: String, message: String) {
        #expect(fault(text).hasPrefix(message), "\(fault(text))")
    }

    @Test func bytesThatAreNotTextAreRefused() {
        let file = ComposeFile(name: "compose.yml", bytes: Array("a: 1\nb: x".utf8) + [0xff])
        #expect(throws: ComposeError("not UTF-8 text", at: Place(file: "compose.yml", line: 2, column: 5))) {
            try loader().load([file])
        }
    }

    @Test func growthByAliasesIsBounded() {
        var text = "x-a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            let items = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "x-\(level): &a\(level) [\(items)]\n"
        }
        text += "services:\n  web:\n    image: web\n    command: *a11\n"
        #expect(fault(text).contains("values with all aliases written out"), "\(fault(text))")
    }

    @Test func nestingIsBounded() {
        let flow = "a: " + String(repeating: "[", count: 100_000)
        #expect(fault(flow).contains("not YAML"), "\(fault(flow))")
        let deep = "a: " + String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(fault(deep).hasPrefix("compose.yml:1:"), "\(fault(deep))")
        #expect(fault(deep).contains("levels of lists and maps"))
    }

    @Test func filesTooLargeAreRefused() {
        let file = ComposeFile(name: "compose.yml", bytes: Array(repeating: UInt8(ascii: "#"), count: 5 << 20))
        #expect(throws: ComposeError.self) { try loader().load([file]) }
    }

    @Test func aStackNeedsAName() {
        #expect(fault("services: {}", stack: nil).hasPrefix("compose.yml:1:1: the stack has no name"))
        #expect(fault("name: a b", stack: nil).hasPrefix("compose.yml:1:7: \"a b\" is not a stack's name"))
        #expect(fault("", stack: "a/b").contains("\"a/b\" is not a stack's name"))
    }
}
