@file:JvmName("AndroidEventSource")

package io.github.libeventsource.android

import android.app.Activity
import android.app.Application
import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.net.NetworkCapabilities
import android.net.NetworkRequest
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import io.github.libeventsource.EventSource
import io.github.libeventsource.State
import java.lang.ref.WeakReference
import java.util.concurrent.Executor
import java.util.concurrent.RejectedExecutionException

/** For [io.github.libeventsource.Config.executor]: the listener is called on the app's main thread. */
public fun mainExecutor(): Executor {
    val handler = Handler(Looper.getMainLooper())
    return Executor { if (!handler.post(it)) throw RejectedExecutionException("the main looper has ended") }
}

/**
 * Connects anew when the network changes, so that a stream does not have to find out by a timeout. Leaves sources alone that
 * are not repeatable. Needs ACCESS_NETWORK_STATE. It ends with the source, or before, when what is returned is closed; it does not keep
 * the source alive.
 */
public fun EventSource.reconnectOnNetworkChange(context: Context): AutoCloseable {
    if (!config.isRepeatable) return AutoCloseable {}
    val manager = context.applicationContext.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
    val watch = NetworkWatch(WeakReference(this), manager)
    watch.register()
    return untilEnd { watch.unregister() }
}

/**
 * Pauses when the last of the app's started activities stops, and resumes when one starts. Call it before the first activity
 * starts, best in [Application.onCreate]; until one has started, as in a process that a job has woken, nothing is paused.
 * Leaves sources alone that are not repeatable, and a pause of your own, but for one made while this pauses: that ends with it.
 * It ends with the source, or before, when what is returned is closed; it does not keep the source alive.
 */
public fun EventSource.pauseInBackground(application: Application): AutoCloseable {
    if (!config.isRepeatable) return AutoCloseable {}
    val watch = ActivityWatch(WeakReference(this), application)
    application.registerActivityLifecycleCallbacks(watch)
    return untilEnd { application.unregisterActivityLifecycleCallbacks(watch) }
}

/** What [stop] ends is over with the source, or when what is returned is closed; from then on nothing is kept. */
private fun EventSource.untilEnd(stop: () -> Unit): AutoCloseable {
    val end = onEnd { stop() }
    return AutoCloseable {
        end.close()
        stop()
    }
}

/**
 * Calls one function of a source; false if close has been called or the source is gone. One that has ended, or has a final error, is
 * neither: an answer to that error may yet revive it.
 */
private inline fun WeakReference<EventSource>.ask(call: EventSource.() -> Unit): Boolean {
    val source = get() ?: return false
    return try {
        source.call()
        true
    } catch (_: IllegalStateException) {
        false
    }
}

/** Marks what calls newer functions than API 21 has, behind a look at SDK_INT: the check of signatures leaves it out. */
@Target(AnnotationTarget.FUNCTION)
@Retention(AnnotationRetention.BINARY)
private annotation class AsksForTheVersion

/** From API 24 on the system tells about the default network; before, about every one that leads to the internet. */
private class NetworkWatch(
    private val source: WeakReference<EventSource>,
    private val manager: ConnectivityManager,
) : ConnectivityManager.NetworkCallback() {
    private var current: Network? = null // the default one; before API 24 the last that came
    private val others = LinkedHashSet<Network>() // before API 24: those that are there besides
    private var registered = false

    @AsksForTheVersion
    @Synchronized
    fun register() {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.N) {
            current = manager.activeNetwork // the system is about to tell of it, which is no change
            manager.registerDefaultNetworkCallback(this)
        } else {
            @Suppress("DEPRECATION")
            manager.allNetworks.filterTo(others) { isInternet(it) }
            current = others.lastOrNull()
            val internet = NetworkRequest.Builder().addCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET).build()
            manager.registerNetworkCallback(internet, this)
        }
        registered = true
    }

    @Synchronized
    fun unregister() {
        if (registered) manager.unregisterNetworkCallback(this)
        registered = false
    }

    @Synchronized
    override fun onAvailable(network: Network) {
        val known = network == current || network in others
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.N) others.add(network)
        if (known) return
        current = network
        changed()
    }

    @Synchronized
    override fun onLost(network: Network) {
        val known = others.remove(network) || network == current
        if (!known) return
        // Before API 24 it is a guess which one the stream's connection goes over: any that is lost may be it.
        current = others.lastOrNull()
        if (current != null) changed() // else there is nothing to connect over until another one comes
    }

    /** Those that are none are never told of as lost. */
    private fun isInternet(network: Network): Boolean =
        manager.getNetworkCapabilities(network)?.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) != false

    private fun changed() {
        if (registered && !source.ask { reconnect() }) unregister()
    }
}

private class ActivityWatch(
    private val source: WeakReference<EventSource>,
    private val application: Application,
) : Application.ActivityLifecycleCallbacks {
    private val started = HashSet<Activity>()
    private var paused = false // by us

    override fun onActivityStarted(activity: Activity) {
        started.add(activity)
        if (!paused) return
        paused = false
        ask { resume() }
    }

    override fun onActivityStopped(activity: Activity) {
        started.remove(activity)
        if (started.isNotEmpty() || activity.isChangingConfigurations) return
        ask {
            if (state == State.PAUSED) return@ask // the app has done that itself
            paused = pause()
        }
    }

    private inline fun ask(crossinline call: EventSource.() -> Unit) {
        if (!source.ask { call() }) application.unregisterActivityLifecycleCallbacks(this)
    }

    override fun onActivityCreated(
        activity: Activity,
        savedInstanceState: Bundle?,
    ) = Unit

    override fun onActivityResumed(activity: Activity) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(
        activity: Activity,
        outState: Bundle,
    ) = Unit

    override fun onActivityDestroyed(activity: Activity) = Unit
}
