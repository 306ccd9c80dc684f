import ClusterModel
import Compose
import Testing

@Suite struct MergingTests {
    @Test func aLaterFileIsLaidOverAnEarlierOne() throws {
        let plan = try load(
            webFile(
                """
                command: [a, b]
                environment: [A=1, B=1]
                labels: {x: 1}
                ports: ["80:80", "81:81"]
                volumes: [data:/data, other:/other]
                secrets: [key]
                dns: 1.1.1.1
                networks: [front]
                logging: {driver: syslog, options: {a: 1}}
                deploy: {replicas: 2, placement: {constraints: [node.role==manager]}, labels: [l=1]}
                healthcheck: {test: [CMD, a], retries: 2}
                extra_hosts: ["h:10.0.0.1"]
                """) + "volumes: {data: , other: }\nnetworks: {front: }\nsecrets: {key: {environment: S}}\n",
            """
            services:
              web:
                image: web:2
                command: [c]
                environment: {B: 2, C: 2}
                labels: [y=2]
                ports: ["80:8080"]
                volumes: [./d:/data]
                secrets: [{source: key, target: k}]
                dns: [8.8.8.8]
                networks: {front: {aliases: [f]}, back: }
                logging: {driver: json-file}
                deploy: {replicas: 3, placement: {constraints: [node.labels.a==b]}, labels: {m: 2}}
                healthcheck: {test: [CMD, b]}
                extra_hosts: {h: 10.0.0.2}
              db: {image: db}
            networks: {back: {internal: true}}
            """, environment: ["S": "s"])
        #expect(plan.services.map(\.key) == ["db", "web"])
        let service = try #require(plan.services.last)
        let task = service.spec.task
        #expect(task.container.image == "web:2")
        #expect(task.container.arguments == ["c"])
        #expect(task.container.environment == ["A=1", "B=2", "C=2"])
        #expect(task.container.labels.filter { $0.key.count == 1 } == ["x": "1", "y": "2"])
        #expect(
            service.spec.ports == [
                PortConfig(targetPort: 81, publishedPort: 81), PortConfig(targetPort: 8080, publishedPort: 80),
            ])
        #expect(task.container.mounts.map(\.target) == ["/data", "/other"])
        #expect(
            task.container.mounts.first?.source
                == .bind(path: "/srv/stack/d", propagation: .rprivate, createsSource: false))
        #expect(service.secrets.map(\.target) == ["k"])
        #expect(task.container.dns.nameservers == ["1.1.1.1", "8.8.8.8"])
        #expect(
            service.networks == [
                NetworkUse(network: "app_back", aliases: ["web"]),
                NetworkUse(network: "app_front", aliases: ["f", "web"]),
            ])
        #expect(task.logDriver == LogDriver(name: "json-file"))
        #expect(service.spec.mode == .replicated(3))
        #expect(task.placement.constraints.map(\.description) == ["node.role==manager", "node.labels.a==b"])
        #expect(service.spec.labels["l"] == "1" && service.spec.labels["m"] == "2")
        #expect(task.container.healthcheck == Healthcheck(test: ["CMD", "b"], retries: 2))
        #expect(task.container.hosts == ["10.0.0.2 h"])
    }

    @Test func faultsNameTheFileTheyStandIn() {
        let second = "services:\n  web:\n    tty: maybe\n"
        #expect(fault(webFile(""), second).hasPrefix("second.yml:3:10: services.web.tty must be"))
    }

    @Test func anchorsAndMergeKeysAreFollowed() throws {
        let plan = try load(
            """
            x-base: &base
              image: base:1
              environment: &env {A: 1, B: "${V}"}
              tty: true
            x-more: &more {read_only: true, image: more:1}
            services:
              a:
                <<: *base
                environment:
                  <<: *env
                  B: own
              b:
                <<: [*more, *base]
            """, environment: ["V": "v"])
        let containers = plan.services.map(\.spec.task.container)
        #expect(containers.map(\.image) == ["base:1", "more:1"])
        #expect(containers.map(\.environment) == [["A=1", "B=own"], ["A=1", "B=v"]])
        #expect(containers.map(\.terminal) == [true, true])
        #expect(containers.map(\.readOnly) == [false, true])
    }

    @Test func theMergedTextIsTheSameStack() throws {
        let texts = [
            webFile(
                "command: [\"a: b\", '$$x', \"\", \"- c\", 'true', \"q\\\"\\n\"]\nports:\n- {target: 80}\n- 81\nhealthcheck:"
            )
                + "x-own: {a: $NONE}\n",
            "services: {web: {environment: {A: \"${V}\", \"b c\": null}, dns: []}}\nnetworks: {default: {}}",
        ]
        let environment = ["V": "v$1", "b c": "x"]
        let loader = loader(environment: environment)
        let text = try loader.mergedText(composeFiles(texts))
        let merged = try load(text, environment: environment)
        let original = try loader.load(composeFiles(texts))
        #expect(merged.services == original.services)
        #expect(merged.networks == original.networks)
        #expect(original.services.first?.spec.task.container.arguments == ["a: b", "$x", "", "- c", "true", "q\"\n"])
        #expect(
            text == """
                services:
                  web:
                    image: "web:1"
                    command:
                    - "a: b"
                    - "$$x"
                    - ""
                    - "- c"
                    - "true"
                    - "q\\"\\n"
                    ports:
                    - target: 80
                    - 81
                    healthcheck: null
                    environment:
                      A: "v$$1"
                      "b c": null
                    dns: []
                networks:
                  default: {}

                """)
    }
}
