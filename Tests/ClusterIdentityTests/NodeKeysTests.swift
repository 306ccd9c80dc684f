import ClusterIdentity
import ClusterModel
import Primitives
import Testing

@Suite struct NodeKeysTests {
    private var random = SeededRandom(seed: 11)

    @Test mutating func anUnlockKeyReadsBackFromItsText() throws {
        for _ in 0..<50 {
            let key = UnlockKey(using: &random)
            let text = key.description
            // What `docker swarm unlock` takes: 43 digits of base64 without padding.
            #expect(text.hasPrefix("SWMKEY-1-") && text.utf8.count == 9 + 43)
            #expect(try UnlockKey(parsing: text) == key)
        }
        let zero = try #require(UnlockKey(bytes: [UInt8](repeating: 0, count: 32)))
        #expect(zero.description == "SWMKEY-1-" + String(repeating: "A", count: 43))
    }

    @Test(arguments: [
        ("hello", "begins with SWMKEY-1-"), ("SWMKEY-2-abc", "another version"), ("SWMKEY-1-abc", "truncated"),
        ("SWMKEY-1-" + String(repeating: "?", count: 43), "truncated or damaged"),
        // The last digit holds four bits only.
        ("SWMKEY-1-" + String(repeating: "A", count: 42) + "B", "truncated or damaged"),
    ])
    func aTextThatIsNoUnlockKeySaysWhatIsWrong(text: String, reason: String) {
        #expect { try UnlockKey(parsing: text) } throws: { "\($0)".contains(reason) && !"\($0)".contains("hello") }
    }

    @Test mutating func keysReadBackFromTheirFile() throws {
        let keys = NodeKeys(privateKeyPEM: "-----BEGIN PRIVATE KEY-----\nabc\n", using: &random)
        #expect(keys.logKey.count == NodeKeys.logKeyBytes)
        let file = try KeyFile(parsing: KeyFile(keys, version: 7).text, path: "keys")
        #expect(file.content == .open(keys) && file.version == 7)
    }

    @Test mutating func lockedKeysOpenForTheirNodeAndKeyOnly() throws {
        let keys = NodeKeys(privateKeyPEM: "-----BEGIN PRIVATE KEY-----\nabc\n", using: &random)
        let key = UnlockKey(using: &random)
        let node = NodeID(using: &random)
        let text = try KeyFile(locking: keys, with: key, of: node, version: 9, using: &random).text
        #expect(!text.contains(Hexadecimal.text(of: keys.logKey)) && !text.contains("PRIVATE"))
        let file = try KeyFile(parsing: text, path: "keys")
        guard case .locked(let sealed) = file.content else {
            Issue.record("not locked: \(text)")
            return
        }
        #expect(file.version == 9)
        #expect(KeyFile.unlock(sealed, with: key, of: node) == keys)
        #expect(KeyFile.unlock(sealed, with: UnlockKey(using: &random), of: node) == nil)
        #expect(KeyFile.unlock(sealed, with: key, of: NodeID(using: &random)) == nil)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(KeyFile.unlock(changed, with: key, of: node) == nil)
        }
        #expect(KeyFile.unlock([], with: key, of: node) == nil)
    }

    @Test func aDamagedOrNewerFileIsNamed() {
        for text in [
            "", "swarm node keys 1 open\n0\nzz\n", "swarm node keys 1 open\n0\n00\n", "swarm node keys 1 ajar\n0\n\n",
        ] {
            #expect { try KeyFile(parsing: text, path: "/x/keys") } throws: {
                "\($0)".contains("/x/keys is damaged") && "\($0)".contains("join the cluster again")
            }
        }
        #expect { try KeyFile(parsing: "swarm node keys 2 open\n0\n00\n", path: "/x/keys") } throws: {
            "\($0)".contains("upgrade it")
        }
    }
}
