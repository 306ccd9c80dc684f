import ClusterModel
import Compose
import Primitives
import Testing

@Suite struct ServiceTests {
    @Test func aServiceGetsDockersNamesAndLabels() throws {
        let plan = try load(webFile("labels: {a: 1}\ndeploy: {labels: [b=2, c]}"))
        let service = try #require(plan.services.first)
        #expect(service.key == "web")
        #expect(service.spec.name == "app_web")
        #expect(service.spec.task.container.image == "web:1")
        #expect(service.spec.task.container.labels == ["a": "1", "com.docker.stack.namespace": "app"])
        #expect(
            service.spec.labels == [
                "b": "2", "c": "", "com.docker.stack.namespace": "app", "com.docker.stack.image": "web:1",
            ])
        #expect(service.networks == [NetworkUse(network: "app_default", aliases: ["web"])])
        let network = NetworkSpec(name: "app_default", labels: ["com.docker.stack.namespace": "app"])
        #expect(plan.networks == [.created(network)])
        #expect(service.spec.mode == .replicated(1))
        #expect(service.spec.endpointMode == .dnsrr)
        #expect(plan.warnings.isEmpty)
    }

    @Test func theContainersSettingsAreRead() throws {
        let container = try web(
            """
            command: serve --port "80 81"
            entrypoint: [/bin/sh, -c]
            hostname: h
            user: "1000:1000"
            working_dir: /srv
            cap_add: [net_admin, CAP_SYS_TIME]
            cap_drop: [ALL]
            group_add: ["7"]
            dns: 1.1.1.1
            dns_search: [a.example, b.example]
            dns_opt: ["ndots:2"]
            sysctls: {net.core.somaxconn: 1024}
            ulimits: {nproc: 65535, nofile: {soft: 20000, hard: -1}}
            init: true
            tty: true
            stdin_open: true
            read_only: true
            stop_signal: SIGUSR1
            stop_grace_period: 1m30s
            oom_score_adj: -5
            security_opt: [no-new-privileges:true]
            extra_hosts: ["a:10.0.0.1", "b=::1", "c:[fe80::1]"]
            """
        ).spec.task.container
        #expect(container.arguments == ["serve", "--port", "80 81"])
        #expect(container.command == ["/bin/sh", "-c"])
        #expect(container.hostname == "h")
        #expect(container.user == "1000:1000")
        #expect(container.workingDirectory == "/srv")
        #expect(container.capabilitiesAdded == ["CAP_NET_ADMIN", "CAP_SYS_TIME"])
        #expect(container.capabilitiesDropped == ["ALL"])
        #expect(container.groups == ["7"])
        #expect(
            container.dns
                == DNSConfig(nameservers: ["1.1.1.1"], search: ["a.example", "b.example"], options: ["ndots:2"]))
        #expect(container.sysctls == ["net.core.somaxconn": "1024"])
        #expect(
            container.ulimits == [
                Ulimit(name: "nofile", soft: 20000, hard: -1), Ulimit(name: "nproc", soft: 65535, hard: 65535),
            ])
        #expect(container.initProcess && container.terminal && container.openStdin && container.readOnly)
        #expect(container.stopSignal == "SIGUSR1")
        #expect(container.stopGracePeriod == .seconds(90))
        #expect(container.oomScoreAdjustment == -5)
        #expect(container.noNewPrivileges)
        #expect(container.hosts == ["10.0.0.1 a", "::1 b", "fe80::1 c"])
    }

    @Test func environmentWinsOverFiles() throws {
        let files = [
            "/srv/stack/a.env": "# comment\nA=1\nB=one=two\nFROM\nNONE\nQ='q'\n", "/srv/stack/b.env": "B=2\r\nC=3\r\n",
        ]
        let text = webFile("env_file: [a.env, ./b.env]\nenvironment:\n  C: ${X}\n  D: null\n  E: true\n  N: 010")
        let plan = try load(text, environment: ["X": "x", "D": "d", "FROM": "f"], files: files)
        #expect(
            plan.services.first?.spec.task.container.environment == [
                "A=1", "B=2", "C=x", "D=d", "E=true", "FROM=f", "N=010", "Q='q'",
            ])
        #expect(plan.warnings.map(\.description) == ["a.env:6: the quotes around the value of Q are part of it"])
        let optional = try web("env_file: [{path: none.env, required: false}]")
        #expect(optional.spec.task.container.environment.isEmpty)
    }

    @Test func deploySettingsAreRead() throws {
        let spec = try web(
            """
            deploy:
              replicas: 6
              update_config:
                {parallelism: 3, delay: 10s, failure_action: rollback, monitor: 60s, max_failure_ratio: 0.3,
                 order: start-first}
              rollback_config: {parallelism: 0, failure_action: continue, monitor: 0s}
              resources:
                limits: {cpus: '0.5', memory: 50M, pids: 100}
                reservations: {cpus: 0.0001, memory: 20M}
              restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 120s}
              placement:
                constraints: [node.role==manager, node.labels.zone != eu]
                preferences: [{spread: node.labels.az}]
                max_replicas_per_node: 5
            """
        ).spec
        #expect(spec.mode == .replicated(6))
        #expect(
            spec.update
                == UpdateConfig(
                    parallelism: 3, delay: .seconds(10), failureAction: .rollback, monitor: .seconds(60),
                    maxFailureRatio: 0.3, order: .startFirst))
        #expect(spec.rollback == UpdateConfig(parallelism: 0, failureAction: .continue))
        #expect(spec.task.limits == ResourceLimits(nanoCPUs: 500_000_000, memoryBytes: 50 << 20, pids: 100))
        #expect(spec.task.reservations == Resources(nanoCPUs: 100_000, memoryBytes: 20 << 20))
        #expect(
            spec.task.restart
                == RestartPolicy(condition: .onFailure, delay: .seconds(1), maxAttempts: 3, window: .seconds(120)))
        #expect(
            spec.task.placement.constraints.map(\.description) == ["node.role==manager", "node.labels.zone!=eu"])
        #expect(spec.task.placement.spread == ["node.labels.az"])
        #expect(spec.task.placement.maxReplicasPerNode == 5)
        #expect(try web("deploy: {mode: global}").spec.mode == .global)
    }

    @Test(arguments: [
        ("restart: \"no\"", RestartPolicy(condition: .none)), ("restart: no", RestartPolicy(condition: .none)),
        ("restart: always", RestartPolicy(condition: .any)), ("restart: unless-stopped", RestartPolicy()),
        ("restart: on-failure:3", RestartPolicy(condition: .onFailure, maxAttempts: 3)),
        ("restart: \"no\"\ndeploy: {restart_policy: {condition: any}}", RestartPolicy(condition: .any)),
        ("deploy: {replicas: 1}", RestartPolicy()),
    ])
    func restartYieldsToTheRestartPolicy(lines: String, expected: RestartPolicy) throws {
        #expect(try web(lines).spec.task.restart == expected)
    }

    @Test func portsAreReadInBothForms() throws {
        let ports = try web(
            """
            ports:
            - 3000
            - "8000-8001:9000-9001"
            - 53:53/udp
            - "127.0.0.1:8080:80"
            - "[::1]:8443:443"
            - "127.0.0.1::81"
            - "0.0.0.0:82:82"
            - {target: 90, published: "9090", protocol: tcp, mode: host, host_ip: 10.0.0.1, name: admin}
            - target: 91
            """
        ).spec.ports
        #expect(
            ports == [
                PortConfig(protocol: .udp, targetPort: 53, publishedPort: 53),
                PortConfig(targetPort: 80, publishedPort: 8080, hostAddress: "127.0.0.1"),
                PortConfig(targetPort: 81, hostAddress: "127.0.0.1"),
                PortConfig(targetPort: 82, publishedPort: 82),
                PortConfig(name: "admin", targetPort: 90, publishedPort: 9090, mode: .host, hostAddress: "10.0.0.1"),
                PortConfig(targetPort: 91),
                PortConfig(targetPort: 443, publishedPort: 8443, hostAddress: "::1"),
                PortConfig(targetPort: 3000),
                PortConfig(targetPort: 9000, publishedPort: 8000), PortConfig(targetPort: 9001, publishedPort: 8001),
            ])
    }

    @Test func mountsAreReadInBothForms() throws {
        let mounts = try web(
            """
            tmpfs: [/run, "/tmp:size=1M,mode=700"]
            volumes:
            - /anonymous
            - data:/data/
            - named:/named:ro,nocopy
            - outer:/outer
            - ./conf:/conf:ro
            - ../up:/up
            - ~/home:/home:rshared
            - {type: bind, source: ./b, target: /b, read_only: true, bind: {propagation: rslave, create_host_path: true}}
            - {type: volume, source: data, target: /v, volume: {nocopy: true}}
            - {type: tmpfs, target: /t, tmpfs: {size: 64M, mode: 0700}}
            """, environment: ["HOME": "/root"],
            rest: "volumes:\n  data:\n  named: {name: own}\n  outer: {external: {name: theirs}}\n"
        ).spec.task.container.mounts
        func volume(_ name: String, _ target: String, copies: Bool = true, readOnly: Bool = false) -> Mount {
            Mount(source: .volume(name: name, copiesImageContent: copies), target: target, readOnly: readOnly)
        }
        func bind(
            _ path: String, _ target: String, _ propagation: BindPropagation = .rprivate, readOnly: Bool = false,
            creates: Bool = false
        ) -> Mount {
            Mount(
                source: .bind(path: path, propagation: propagation, createsSource: creates), target: target,
                readOnly: readOnly)
        }
        let expected = [
            Mount(source: .tmpfs(sizeBytes: 0, mode: 0o1777), target: "/run"),
            Mount(source: .tmpfs(sizeBytes: 1 << 20, mode: 0o700), target: "/tmp"),
            volume("", "/anonymous"), bind("/srv/stack/b", "/b", .rslave, readOnly: true, creates: true),
            bind("/srv/stack/conf", "/conf", readOnly: true), volume("app_data", "/data"),
            bind("/root/home", "/home", .rshared), volume("own", "/named", copies: false, readOnly: true),
            volume("theirs", "/outer"), Mount(source: .tmpfs(sizeBytes: 64 << 20, mode: 0o700), target: "/t"),
            bind("/srv/up", "/up"), volume("app_data", "/v", copies: false),
        ]
        #expect(Set(mounts) == Set(expected))
        #expect(mounts.count == expected.count)
    }

    @Test func networksAreAliasedWithTheServicesKey() throws {
        let text =
            webFile("networks:\n  back: {aliases: [db, web]}\n  theirs:")
            + "networks:\n  back: {internal: true, attachable: true, driver_opts: {encrypted: \"\"}, labels: [a=1],\n"
            + "    ipam: {driver: default, config: [{subnet: 10.7.0.0/24, gateway: 10.7.0.1}]}}\n"
            + "  theirs: {external: true, name: outer}\n  unused: {}\n"
        let plan = try load(text)
        #expect(
            plan.services.first?.networks == [
                NetworkUse(network: "app_back", aliases: ["db", "web"]), NetworkUse(network: "outer", aliases: ["web"]),
            ])
        let spec = NetworkSpec(
            name: "app_back", labels: ["a": "1", "com.docker.stack.namespace": "app"],
            subnet: IPv4Network("10.7.0.0/24"), gateway: IPv4Address("10.7.0.1"), isInternal: true, isAttachable: true,
            driverOptions: ["encrypted": ""])
        let place = Place(file: "compose.yml", line: 10, column: 3)
        #expect(plan.networks == [.created(spec), .external(name: "outer", place: place)])
        #expect(plan.warnings.isEmpty)
    }

    @Test(arguments: [
        ("test: curl x", Healthcheck(test: ["CMD-SHELL", "curl x"])),
        ("test: [CMD, a, b]", Healthcheck(test: ["CMD", "a", "b"])),
        ("disable: true", Healthcheck(test: ["NONE"])), ("test: [NONE]", Healthcheck(test: ["NONE"])),
        (
            "{test: x, interval: 10s, timeout: 1s, retries: 5, start_period: 15s, start_interval: 500ms}",
            Healthcheck(
                test: ["CMD-SHELL", "x"], interval: .seconds(10), timeout: .seconds(1), startPeriod: .seconds(15),
                startInterval: .milliseconds(500), retries: 5)
        ),
    ])
    func healthchecksAreRead(text: String, expected: Healthcheck) throws {
        let lines = text.hasPrefix("{") ? "healthcheck: \(text)" : "healthcheck: {\(text)}"
        #expect(try web(lines).spec.task.container.healthcheck == expected)
    }

    @Test func loggingIsRead() throws {
        #expect(
            try web("logging: {driver: syslog, options: {a: 1}}").spec.task.logDriver
                == LogDriver(name: "syslog", options: ["a": "1"]))
        #expect(
            try web("logging: {options: {max-size: 1m}}").spec.task.logDriver
                == LogDriver(name: "json-file", options: ["max-size": "1m"]))
        #expect(try web("logging:").spec.task.logDriver == nil)
    }

    @Test func servicesAreOrderedAndTheFilesNameIsTaken() throws {
        let plan = try load("name: own\nservices:\n  b: {image: b}\n  a: {image: a}\n", stack: nil)
        #expect(plan.name == "own")
        #expect(plan.services.map(\.spec.name) == ["own_a", "own_b"])
    }
}
