import Link from "next/link";

export default function NotFound() {
  return (
    <div className="card mt-10">
      <h1 className="text-2xl">There is no such page</h1>
      <Link href="/" className="button mt-4">
        To the first page
      </Link>
    </div>
  );
}
