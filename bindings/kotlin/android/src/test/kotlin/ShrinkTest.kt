import com.android.tools.r8.CompilationFailedException
import com.android.tools.r8.CompilationMode
import com.android.tools.r8.D8
import com.android.tools.r8.D8Command
import com.android.tools.r8.JdkClassFileProvider
import com.android.tools.r8.OutputMode
import com.android.tools.r8.R8
import com.android.tools.r8.R8Command
import com.android.tools.r8.origin.Origin
import io.github.libeventsource.Config
import io.github.libeventsource.DEADLINE_MS
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.TestServer
import io.github.libeventsource.TestServer.Companion.body
import io.github.libeventsource.TestServer.Companion.status
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.nio.file.Path
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.zip.ZipEntry
import java.util.zip.ZipFile
import java.util.zip.ZipOutputStream

/** The app that is shrunk. */
object Sample {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val closed = CountDownLatch(1)
        EventSource(arguments[0], Config().header("X-A", "ü").headers { _, _ -> mapOf("X-B" to "1") }).use { source ->
            source.start(
                object : EventSource.Listener {
                    override fun onMessage(
                        source: EventSource,
                        event: Event.Message,
                    ) = println(event.data)

                    override fun onClose(
                        source: EventSource,
                        event: Event.Close,
                    ) = closed.countDown()
                },
            )
            closed.await()
        }
    }
}

/** R8 with the rules that the jar ships: the shrunk app streams, without them it does not, and API 21 takes it. */
class ShrinkTest {
    @get:Rule
    val folder = TemporaryFolder()

    /** The jar of the library as it is published, and what it needs. */
    private val eventsource = jarOf(EventSource::class.java)
    private val rest = listOf(jarOf(Unit::class.java), jarOf(org.jetbrains.annotations.NotNull::class.java))

    private val javaLibrary = JdkClassFileProvider.fromJdkHome(File(System.getProperty("java.home")).toPath())
    private val android = File(System.getProperty("android.jar")).toPath() // has no java.* of its own

    private fun jarOf(type: Class<*>): File =
        File(
            type.protectionDomain.codeSource.location
                .toURI(),
        )

    private fun sampleClasses(): List<Path> =
        jarOf(Sample::class.java).listFiles { file -> file.name.startsWith("Sample") }!!.map { it.toPath() }

    /** R8 might find the rules in the jar by itself; here they count only where they are given. */
    private fun withoutRules(): File {
        val copy = folder.newFile("${folder.root.list()!!.size}.jar")
        ZipOutputStream(copy.outputStream()).use { out ->
            ZipFile(eventsource).use { jar ->
                for (entry in jar.entries()) {
                    if (entry.isDirectory || entry.name.startsWith("META-INF/proguard")) continue
                    out.putNextEntry(ZipEntry(entry.name))
                    jar.getInputStream(entry).copyTo(out)
                }
            }
        }
        return copy
    }

    private fun entry(name: String): String =
        ZipFile(eventsource).use { jar -> jar.getInputStream(jar.getEntry(name)).readBytes().decodeToString() }

    /** [eventsource] shrunk together with [Sample], under the given rules besides the sample's own. */
    private fun shrink(
        mode: OutputMode,
        rules: List<String>,
    ): Path {
        val out = folder.newFolder().toPath().resolve(if (mode == OutputMode.ClassFile) "out.jar" else "out.zip")
        val command =
            R8Command
                .builder()
                .addProgramFiles(sampleClasses() + (rest + withoutRules()).map { it.toPath() })
                .addProguardConfiguration(listOf("-keep class Sample { void main(java.lang.String[]); }") + rules, Origin.unknown())
                .setMode(CompilationMode.RELEASE)
                .addLibraryResourceProvider(javaLibrary)
                .setOutput(out, mode)
        if (mode == OutputMode.DexIndexed) command.addLibraryFiles(android).setMinApiLevel(21)
        R8.run(command.build())
        return out
    }

    /** Runs the shrunk sample; the native library, no class, is taken from the jar. */
    private fun run(
        shrunk: Path,
        url: String,
    ): Pair<Int, String> {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val process = ProcessBuilder(java, "-cp", shrunk.toString(), "Sample", url).redirectErrorStream(true).start()
        val output = process.inputStream.readBytes().decodeToString()
        assertTrue(process.waitFor(DEADLINE_MS, TimeUnit.MILLISECONDS))
        return process.exitValue() to output
    }

    @Test
    fun `with the shipped rules the shrunk app streams, without them it does not`() {
        val rules = listOf(entry("META-INF/proguard/io.github.libeventsource.pro"))
        TestServer.start().use { server ->
            server.on("/events", listOf("sse", body("data: grün 😀\n\n"), "reset"), status(204))
            val shrunk = shrink(OutputMode.ClassFile, rules)
            assertEquals(0 to "grün 😀\n", run(shrunk, server.url("/events")))
            assertEquals("1", server.requests()[0].header("X-B"))
            ZipFile(shrunk.toFile()).use { jar ->
                val names =
                    jar
                        .entries()
                        .asSequence()
                        .map { it.name }
                        .filter { it.endsWith(".class") }
                        .toList()
                assertTrue("io/github/libeventsource/Native.class" in names)
                assertFalse("shrunk, so renamed or merged", "io/github/libeventsource/Stream.class" in names)
            }
            val (status, output) = run(shrink(OutputMode.ClassFile, emptyList()), server.url("/events"))
            assertTrue(output, status != 0 && "UnsatisfiedLinkError" in output)
            assertEquals(2, server.requests().size)
        }
    }

    @Test
    fun `it is dexed for API 21`() {
        val rules = listOf(entry("META-INF/proguard/io.github.libeventsource.pro"))
        val dexed = shrink(OutputMode.DexIndexed, rules)
        ZipFile(dexed.toFile()).use { zip -> assertTrue(zip.getEntry("classes.dex").size > 10_000) }
        // Unshrunk too, as a debug build does it.
        val out = folder.newFolder().toPath()
        D8.run(
            D8Command
                .builder()
                .addProgramFiles(listOf(eventsource.toPath()))
                .addClasspathFiles(rest.map { it.toPath() })
                .addLibraryResourceProvider(javaLibrary)
                .addLibraryFiles(android)
                .setMinApiLevel(21)
                .setOutput(out, OutputMode.DexIndexed)
                .build(),
        )
        assertTrue(out.resolve("classes.dex").toFile().length() > 10_000)
    }

    @Test
    fun `a rule that is none fails, so the others were read`() {
        val thrown = runCatching { shrink(OutputMode.ClassFile, listOf("-nonsense")) }.exceptionOrNull()
        assertTrue("$thrown", thrown is CompilationFailedException)
    }
}
