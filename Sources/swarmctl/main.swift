import SwarmCommands

await Swarmctl.launch()
