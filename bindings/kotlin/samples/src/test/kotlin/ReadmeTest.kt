import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File

/** Every snippet of the README stands, word for word, in a file that is compiled. */
class ReadmeTest {
    @Test
    fun `snippets are compiled`() {
        val here = File(System.getenv("LIBEVENTSOURCE_ROOT"), "bindings/kotlin")
        val files =
            listOf("samples/src/test/kotlin/Snippets.kt", "samples/src/test/java/JavaSnippets.java", "android/src/test/kotlin/Snippets.kt")
        val compiled = files.joinToString("\n") { unindented(File(here, it).readText()) }
        val snippets = Regex("```(?:kotlin|java)\n(.*?)```", RegexOption.DOT_MATCHES_ALL).findAll(File(here, "README.md").readText())
        val texts = snippets.map { it.groupValues[1] }.toList()
        assertEquals(5, texts.size)
        for (text in texts) assertTrue(unindented(text) in compiled, "compiled nowhere:\n$text")
    }

    private fun unindented(text: String) = text.lines().joinToString("\n") { it.trim() }
}
