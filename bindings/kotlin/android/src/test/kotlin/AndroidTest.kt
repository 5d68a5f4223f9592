import android.app.Activity
import android.app.Application
import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.os.Build
import android.os.Looper
import io.github.libeventsource.Config
import io.github.libeventsource.DEADLINE_MS
import io.github.libeventsource.ErrorKind
import io.github.libeventsource.Event
import io.github.libeventsource.EventSource
import io.github.libeventsource.ReconnectMode
import io.github.libeventsource.Recorder
import io.github.libeventsource.State
import io.github.libeventsource.TestServer
import io.github.libeventsource.TestServer.Companion.status
import io.github.libeventsource.TestServer.Companion.stream
import io.github.libeventsource.TestServer.Companion.waitFor
import io.github.libeventsource.android.mainExecutor
import io.github.libeventsource.android.pauseInBackground
import io.github.libeventsource.android.reconnectOnNetworkChange
import io.github.libeventsource.eventually
import libcore.net.NetworkSecurityPolicy
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowNetwork
import org.robolectric.annotation.Config as Android

/** What an app's network security config makes of itself inside the framework: cleartext to 127.0.0.1 only, and so not everywhere. */
private class OnlyLoopback : NetworkSecurityPolicy() {
    override fun isCleartextTrafficPermitted(): Boolean = false

    override fun isCleartextTrafficPermitted(hostname: String): Boolean = hostname == "127.0.0.1"

    override fun isCertificateTransparencyVerificationRequired(hostname: String): Boolean = false
}

/** Android's own code on the JVM, with the real native library and the real test server. */
@RunWith(RobolectricTestRunner::class)
@Android(sdk = [23, 34])
class AndroidTest {
    private val server = TestServer.start().also { it.on("/events", stream("data: in\n\n")) }
    private val application: Application = RuntimeEnvironment.getApplication()
    private val recorder = Recorder()

    @After
    fun stop() = server.close()

    private fun source(config: Config = Config()) = EventSource(server.url("/events"), config)

    /** Lets the main looper run until [condition] holds. */
    private fun looping(
        what: String,
        condition: () -> Boolean,
    ) {
        val end = System.nanoTime() + DEADLINE_MS * 1_000_000
        while (!condition()) {
            assertTrue("never: $what", System.nanoTime() < end)
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(2)
        }
    }

    @Test
    fun `callbacks and the provider of headers run on the main looper`() {
        val providers = ArrayList<Thread>()
        val config =
            Config().executor(mainExecutor()).headers { _, _ ->
                providers.add(Thread.currentThread())
                mapOf("X-A" to "1")
            }
        val source = source(config)
        source.start(recorder)
        Thread.sleep(50)
        assertEquals("nothing before the looper comes round", 0, recorder.events.size)
        looping("a message") { recorder.events.any { it is Event.Message } }
        source.close()
        looping("the close") { recorder.events.any { it is Event.Close } }
        assertEquals(setOf(Looper.getMainLooper().thread), recorder.threads)
        assertEquals(listOf(Looper.getMainLooper().thread), providers)
        assertEquals("1", server.requests()[0].header("X-A"))
    }

    private fun callbacks(): Set<ConnectivityManager.NetworkCallback> {
        val manager = application.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
        return shadowOf(manager).networkCallbacks
    }

    @Test
    fun `a change of the network connects anew`() {
        source().use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            val watch = source.reconnectOnNetworkChange(application)
            val callback = callbacks().single()
            val manager = application.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
            val first = assertNotNull(manager.activeNetwork).let { manager.activeNetwork!! }
            callback.onAvailable(first) // as the system does on registering
            assertTrue(recorder.events.isEmpty())
            val second = ShadowNetwork.newInstance(77)
            callback.onAvailable(second)
            recorder.next() as Event.Connect
            recorder.await<Event.Message>()
            assertEquals(2, server.requests().size)
            if (Build.VERSION.SDK_INT >= 24) {
                callback.onLost(first) // no longer in use
                callback.onAvailable(second)
                assertTrue(recorder.events.isEmpty())
            }
            callback.onLost(second)
            callback.onAvailable(second)
            recorder.await<Event.Message>()
            watch.close()
            watch.close()
            assertTrue(callbacks().isEmpty())
        }
    }

    @Test
    fun `a closed source is watched no longer`() {
        val source = source()
        source.start(recorder)
        source.reconnectOnNetworkChange(application)
        source.pauseInBackground(application)
        val callback = callbacks().single()
        source.close()
        // Not only when something changes: Android allows an app a hundred callbacks.
        eventually("unregistered") { callbacks().isEmpty() }
        callback.onAvailable(ShadowNetwork.newInstance(78)) // one that was on its way
        server.on("/events", status(204))
        val ended = source()
        val network = ended.reconnectOnNetworkChange(application)
        assertEquals(1, callbacks().size)
        ended.start(recorder)
        eventually("unregistered at the stream's own end") { callbacks().isEmpty() }
        network.close()
        ended.reconnectOnNetworkChange(application)
        assertTrue("over already", callbacks().isEmpty())
        val unstarted = source()
        unstarted.reconnectOnNetworkChange(application)
        assertEquals(1, callbacks().size)
        unstarted.close()
        assertTrue(callbacks().isEmpty())
        Robolectric
            .buildActivity(Activity::class.java)
            .setup()
            .pause()
            .stop()
    }

    @Test
    fun `a final error that is still to be answered ends no watching`() {
        server.on("/events", listOf(waitFor("refuse")) + status(401), stream("data: in\n\n"))
        val recorder = Recorder { source, event -> if (event is Event.Error) source.retry(0) }
        val source = source(Config().executor(mainExecutor()))
        source.use {
            val network = source.reconnectOnNetworkChange(application)
            val activity = Robolectric.buildActivity(Activity::class.java)
            source.pauseInBackground(application)
            activity.setup()
            source.start(recorder)
            looping("an attempt") { server.requests().isNotEmpty() }
            server.go("refuse")
            eventually("the error is there, and waits in the looper's queue") { source.state == State.CLOSED }
            callbacks().single().onAvailable(ShadowNetwork.newInstance(79))
            activity.pause().stop()
            looping("revived") { recorder.events.any { it is Event.Message } }
            activity.restart().start().resume()
            activity.pause().stop()
            assertEquals("watched as ever", State.PAUSED, source.state)
            assertEquals(1, callbacks().size)
            network.close()
        }
    }

    @Test
    @Android(sdk = [23])
    fun `before API 24 any network that is lost may be the one in use`() {
        source().use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            source.reconnectOnNetworkChange(application).use {
                val callback = callbacks().single()
                val (wifi, mobile) = listOf(ShadowNetwork.newInstance(81), ShadowNetwork.newInstance(82))
                callback.onAvailable(wifi)
                recorder.await<Event.Message>()
                callback.onAvailable(mobile)
                recorder.await<Event.Message>()
                callback.onLost(wifi)
                recorder.await<Event.Message>()
            }
        }
    }

    @Test
    fun `what may cost money is left alone`() {
        val config = Config().body("question")
        source(config).use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            source.reconnectOnNetworkChange(application)
            assertTrue(callbacks().isEmpty())
            source.pauseInBackground(application)
            Robolectric
                .buildActivity(Activity::class.java)
                .setup()
                .pause()
                .stop()
            assertEquals(State.OPEN, source.state)
        }
        source(config.reconnect(ReconnectMode.ALWAYS)).use { source ->
            source.reconnectOnNetworkChange(application)
            assertEquals(1, callbacks().size)
        }
    }

    @Test
    fun `in the background it is paused`() {
        source().use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            val watch = source.pauseInBackground(application)
            val first = Robolectric.buildActivity(Activity::class.java).setup()
            val second = Robolectric.buildActivity(Activity::class.java).setup()
            first.pause().stop()
            assertEquals("one is still there", State.OPEN, source.state)
            second.pause().stop()
            assertEquals(State.PAUSED, source.state)
            server.waitForOpen(0)
            second.restart().start()
            recorder.await<Event.Message>()
            assertEquals(2, server.requests().size)

            second.stop()
            assertEquals(State.PAUSED, source.state)
            watch.close()
            second.start()
            assertEquals("no longer watched", State.PAUSED, source.state)
        }
    }

    @Test
    fun `a turned device and a pause of the app's own`() {
        source().use { source ->
            source.start(recorder)
            recorder.await<Event.Message>()
            source.pauseInBackground(application)
            val activity = Robolectric.buildActivity(Activity::class.java).setup()
            activity.recreate()
            assertEquals(State.OPEN, source.state)
            assertEquals(1, server.requests().size)
            source.pause()
            activity.pause().stop()
            activity.restart().start()
            assertEquals("not ours to resume", State.PAUSED, source.state)
        }
    }

    @Test
    fun `a source that is watched can be collected`() {
        val kept = ArrayList<EventSource>() // or it might be collected before it has a message

        fun make() {
            val source = source(Config().executor(mainExecutor()))
            kept.add(source)
            source.start(recorder)
            source.reconnectOnNetworkChange(application)
            source.pauseInBackground(application)
        }
        make()
        looping("a message") { recorder.events.any { it is Event.Message } }
        kept.clear()
        looping("collected") {
            System.gc()
            server.connections().none { it.asJsonObject["held"].asBoolean }
        }
    }

    @Test
    @Android(sdk = [34])
    fun `the app's cleartext policy is respected for the host`() {
        val before = NetworkSecurityPolicy.getInstance()
        NetworkSecurityPolicy.setInstance(OnlyLoopback())
        try {
            source().use {
                it.start(recorder)
                recorder.await<Event.Message>()
            }
            assertForbidden(server.urlByName("/events"))
            assertForbidden("http://[::1]:${server.port}/events")
            assertForbidden("\n http://localhost:${server.port}/events\n")
            assertForbidden("http://127.0.0.1@localhost:${server.port}/events")
            source().use {
                val forbidden = server.urlByName("/events")
                for (url in listOf(forbidden, " $forbidden", forbidden.replace("http", "ht\ttp"))) {
                    assertThrows(IllegalArgumentException::class.java) { it.setUrl(url) }
                }
                assertTrue(it.setUrl(server.url("/events")))
            }
        } finally {
            NetworkSecurityPolicy.setInstance(before)
        }
    }

    @Test
    @Android(sdk = [23])
    fun `before API 24 the policy is one for all hosts`() {
        val type = android.security.NetworkSecurityPolicy::class.java
        val set = type.getMethod("setCleartextTrafficPermitted", Boolean::class.java)
        val policy = type.getMethod("getInstance").invoke(null)
        set.invoke(policy, false)
        try {
            assertForbidden(server.url("/events"))
        } finally {
            set.invoke(policy, true)
        }
    }

    private fun assertForbidden(url: String) {
        val late = Recorder()
        val before = server.connections().size()
        EventSource(url, Config().maxRetries(0)).use {
            it.start(late)
            val error = late.await<Event.Error>()
            assertEquals(ErrorKind.APPLICATION, error.kind)
            assertTrue(error.message, "cleartext" in error.message)
        }
        assertEquals(before, server.connections().size())
        // https is no cleartext: this one fails for want of TLS on the other side.
        val secure = Recorder()
        EventSource(url.replace("http:", "https:"), Config().maxRetries(0)).use {
            it.start(secure)
            assertTrue(secure.await<Event.Error>().kind != ErrorKind.APPLICATION)
        }
    }

    @Test
    fun `the network of the tests is Android's own class`() {
        assertEquals(Network::class.java.name, ShadowNetwork.newInstance(1).javaClass.name)
    }
}
