import EngineAPI

// The API and the image store use the same words for their own types.
typealias APICredentials = RegistryCredentials
typealias APIImageProgress = ImageProgress
typealias APIImageRemoval = ImageRemoval
typealias APINodeFacts = NodeFacts
