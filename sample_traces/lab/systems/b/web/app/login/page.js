export default function Login() {
  return <main>Please sign in.</main>;
}
