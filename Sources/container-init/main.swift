import ContainerInit
import Glibc

exit(ContainerInitProgram.run(CommandLine.arguments))
