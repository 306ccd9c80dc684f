import Compose
import Testing

@Suite struct WarningTests {
    @Test func unsupportedKeysAreNamedWithFileAndLine() throws {
        let text = """
            version: "3.8"
            x-mine: 1
            include: [a.yml]
            services:
              web:
                image: web
                container_name: web
                devices: [/dev/fuse]
                x-own: 1
                deploy:
                  endpoint_mode: vip
                  resources:
                    reservations:
                      generic_resources: []
                networks:
                  default: {ipv4_address: 10.0.0.9}
                depends_on: [db]
            volumes:
              data: {driver: nfs}
            networks:
              default: {enable_ipv6: true, driver: bridge}
            """
        #expect(
            try warnings(text) == [
                "compose.yml:3: include is not supported and ignored",
                "compose.yml:19: volumes.data.driver nfs is not supported: the volume is a folder of each node",
                "compose.yml:21: networks.default.enable_ipv6 is not supported and ignored",
                "compose.yml:21: networks.default.driver bridge is not supported, overlay is used",
                "compose.yml:7: services.web.container_name is not supported and ignored",
                "compose.yml:8: services.web.devices is not supported and ignored",
                "compose.yml:11: services.web.deploy.endpoint_mode vip: the name is answered by DNS round robin "
                    + "(dnsrr) instead of a virtual IP",
                "compose.yml:14: services.web.deploy.resources.reservations.generic_resources is not supported and "
                    + "ignored",
                "compose.yml:16: services.web.networks.default.ipv4_address is not supported and ignored",
                "compose.yml:17: services.web.depends_on is not supported and ignored",
            ])
    }

    @Test func variablesWithoutValueAreNamed() throws {
        let text = webFile("hostname: a$NONE\nenvironment:\n- KEY")
        #expect(
            try warnings(text) == [
                "compose.yml:4: services.web.hostname: the variable NONE is not set and replaced by nothing",
                "compose.yml:6: services.web.environment: KEY has no value here and is left out",
            ])
        #expect(try warnings(text, environment: ["NONE": "", "KEY": "1"]).isEmpty)
    }

    @Test func sectionsOfTheUsersOwnAreNotRead() throws {
        #expect(try warnings("x-a: $NONE ${\n" + webFile("")).isEmpty)
    }
}
