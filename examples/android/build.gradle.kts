plugins {
    id("com.android.application") version "8.7.3"
    kotlin("android") version "2.3.0"
}

android {
    namespace = "example.tail"
    compileSdk = 34
    defaultConfig {
        minSdk = 21
        targetSdk = 34
    }
    buildFeatures.prefab = true
    externalNativeBuild.cmake.path = file("src/main/cpp/CMakeLists.txt")
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

kotlin.compilerOptions.jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_1_8

dependencies {
    implementation("io.github.libeventsource:eventsource-android:0.1.0")
}
