//! The demo's world, seen by the real Git.

use tagwright::demo::registry::Registry;
use tagwright::demo::world::World;

use crate::repo::Repo;

#[test]
fn git_finds_the_world_sound_and_people_can_push() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start().unwrap();
    let time = "2026-03-02T08:00:00Z".parse().unwrap();
    let world = World::create(folder.path(), &registry.host(), time).unwrap();
    for push in world.images() {
        let digest = registry.push(push.repository, &push.tag, &push.image);
        assert_eq!(digest, push.image.digest());
    }
    let Some(repo) = Repo::open(world.repository()) else {
        return;
    };
    let (git, path) = (repo.git(), repo.path());
    assert_eq!(git.text(path, &["fsck", "--strict", "--no-dangling"]), "");
    assert_eq!(
        repo.log("%an <%ae> %ct"),
        "Ada Okafor <ada@example.com> 1772438400"
    );
    let work = repo.clone_to();
    let text = work.read("apps/staging/web/preview.yaml");
    let image = format!("image: {}/acme/web:1.14.2\r\n", registry.host());
    assert!(text.contains(&image), "{text}");
    work.write(
        "apps/staging/web/preview.yaml",
        text.replace("drafts", "none"),
    );
    let id = work.commit("No drafts");
    work.push();
    assert_eq!(repo.head(), id);
}
