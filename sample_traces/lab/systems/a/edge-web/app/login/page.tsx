/** Static: prerendered by the build, and no proxy runs before it. */
export default function Login() {
  return (
    <main>
      <h1>Sign in</h1>
    </main>
  );
}
