// Makes the AAR: core, coroutines and the Android part in one, with the native libraries of all ABIs. Needs an Android SDK,
// so it is not run where pom.xml is. jniLibs is <repository>/target/kotlin/android/<abi>/libeventsource_jni.so.
plugins {
    id("com.android.library") version "8.7.3"
    kotlin("android") version "2.3.0"
    `maven-publish`
}

group = "io.github.libeventsource"
version = "0.1.0"

android {
    namespace = "io.github.libeventsource"
    compileSdk = 34
    defaultConfig {
        minSdk = 21
        consumerProguardFiles("../core/src/main/resources/META-INF/proguard/io.github.libeventsource.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    sourceSets["main"].apply {
        manifest.srcFile("src/main/AndroidManifest.xml")
        kotlin.srcDirs("src/main/kotlin", "../core/src/main/kotlin", "../coroutines/src/main/kotlin")
        jniLibs.srcDir("../../../target/kotlin/android")
    }
    publishing.singleVariant("release")
}

kotlin {
    explicitApi()
    compilerOptions {
        allWarningsAsErrors = true
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8
        freeCompilerArgs.add("-jvm-default=no-compatibility")
    }
}

dependencies {
    compileOnly("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2") // for events(); an app that calls it has it
}

publishing.publications.register<MavenPublication>("release") {
    artifactId = "eventsource-android"
    afterEvaluate { from(components["release"]) }
}
